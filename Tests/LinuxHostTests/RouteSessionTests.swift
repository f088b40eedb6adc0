// SPDX-License-Identifier: Apache-2.0

import Glibc
import NetworkModel
import Testing

@testable import LinuxHost

@Suite struct RouteSessionTests {
    /// `ip link`: asks for all links, without their statistics.
    private func linkRequest(sequence: String) -> String {
        """
        28 00 00 00 12 00 01 03         # 40 bytes, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP
        \(sequence) 00 00 00 00
        00 00 00 00 00 00 00 00         # struct ifinfomsg
        00 00 00 00 00 00 00 00
        08 00 1d 00 08 00 00 00         # IFLA_EXT_MASK = RTEXT_FILTER_SKIP_STATS
        """
    }

    private let veth = """
        6c 00 00 00 10 00 02 00         # 108 bytes, RTM_NEWLINK, NLM_F_MULTI
        01 00 00 00 00 00 00 00
        00 00 01 00 0a 00 00 00         # ARPHRD_ETHER, index 10
        43 10 01 00 00 00 00 00         # IFF_UP, IFF_BROADCAST, IFF_RUNNING …
        0a 00 03 00 76 65 74 68 30 00   # IFLA_IFNAME veth0
        00 00
        08 00 04 00 dc 05 00 00         # IFLA_MTU 1500
        08 00 0a 00 03 00 00 00         # IFLA_MASTER 3
        08 00 05 00 02 00 00 00         # IFLA_LINK 2
        08 00 25 00 01 00 00 00         # IFLA_LINK_NETNSID 1
        0a 00 01 00 02 11 22 33 44 55   # IFLA_ADDRESS
        00 00
        10 00 12 00                     # IFLA_LINKINFO
        09 00 01 00 76 65 74 68 00      # IFLA_INFO_KIND veth
        00 00 00
        04 00 2d 80                     # a nested attribute unknown to us
        """

    private let done = "14 00 00 00 03 00 02 00 01 00 00 00 00 00 00 00 00 00 00 00"

    @Test func `reads every field of a link`() throws {
        let session = RouteSession(FakeNetlink([(linkRequest(sequence: "01 00 00 00"), [veth + "\n" + done])]))
        let expected = NetworkLink(
            index: 10, name: "veth0", kind: "veth", master: 3, peerIndex: 2, peerNamespaceID: 1,
            hardwareAddress: [2, 0x11, 0x22, 0x33, 0x44, 0x55], mtu: 1500, isUp: true, isLoopback: false)
        #expect(try session.links() == [expected])
    }

    @Test func `a dump spread over datagrams is put together`() throws {
        let answers = [veth, veth, done]
        let session = RouteSession(FakeNetlink([(linkRequest(sequence: "01 00 00 00"), answers)]))
        #expect(try session.links().count == 2)
    }

    @Test func `a dump the table changed under is asked for again`() throws {
        let interrupted = veth.replacing("10 00 02 00", with: "10 00 12 00")  // NLM_F_DUMP_INTR
        let second = (veth + "\n" + done).replacing("01 00 00 00 00 00 00 00", with: "02 00 00 00 00 00 00 00")
            .replacing("03 00 02 00 01 00", with: "03 00 02 00 02 00")
        let session = RouteSession(
            FakeNetlink([
                (linkRequest(sequence: "01 00 00 00"), [interrupted, veth + "\n" + done]),
                (linkRequest(sequence: "02 00 00 00"), [second]),
            ]))
        #expect(try session.links().count == 1)
    }

    @Test func `the kernel's refusal is an error with its errno`() {
        let refusal = """
            14 00 00 00 02 00 00 00 01 00 00 00 00 00 00 00  # NLMSG_ERROR
            ff ff ff ff                                      # -EPERM
            """
        let session = RouteSession(FakeNetlink([(linkRequest(sequence: "01 00 00 00"), [refusal])]))
        let error = #expect(throws: HostError.self) { try session.links() }
        #expect(error?.description == "cannot list links: operation not permitted")
    }

    @Test func `reads IPv4 and IPv6 addresses, the own end of a point-to-point link`() throws {
        let request = """
            18 00 00 00 16 00 01 03 01 00 00 00 00 00 00 00  # RTM_GETADDR
            00 00 00 00 00 00 00 00                          # struct ifaddrmsg
            """
        let answer = """
            28 00 00 00 14 00 02 00 01 00 00 00 00 00 00 00  # RTM_NEWADDR
            02 20 80 00 04 00 00 00                          # AF_INET, /32, universe, index 4
            08 00 01 00 0a 00 00 02                          # IFA_ADDRESS 10.0.0.2, the peer
            08 00 02 00 0a 00 00 01                          # IFA_LOCAL 10.0.0.1
            2c 00 00 00 14 00 02 00 01 00 00 00 00 00 00 00
            0a 40 80 fd 04 00 00 00                          # AF_INET6, /64, link scope, index 4
            14 00 01 00 fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 01
            """
        let session = RouteSession(FakeNetlink([(request, [answer, done])]))
        #expect(
            try session.addresses() == [
                InterfaceAddress(linkIndex: 4, address: IPAddress(v4: 0x0a00_0001), prefixLength: 32),
                InterfaceAddress(
                    linkIndex: 4, address: IPAddress(high: 0xfe80 << 48, low: 1), prefixLength: 64, isLinkScoped: true),
            ])
    }

    @Test(arguments: [
        "ff 00 00 00 10 00 02 00 01 00 00 00 00 00 00 00",  // longer than the datagram
        "04 00 00 00 10 00 02 00 01 00 00 00 00 00 00 00",  // shorter than its own header
    ])
    func `a message whose length leads astray is refused`(datagram: String) {
        let session = RouteSession(FakeNetlink([(linkRequest(sequence: "01 00 00 00"), [datagram])]))
        #expect(throws: HostError.self) { try session.links() }
    }

    @Test func `an attribute that ends outside of its message ends the reading, not the process`() throws {
        let cut = """
            28 00 00 00 10 00 02 00 01 00 00 00 00 00 00 00
            00 00 01 00 0a 00 00 00 00 00 00 00 00 00 00 00
            ff 00 03 00 61 62 63 00                          # IFLA_IFNAME of 255 bytes
            """
        let session = RouteSession(FakeNetlink([(linkRequest(sequence: "01 00 00 00"), [cut, done])]))
        #expect(try session.links().map(\.index) == [10])
    }

    @Test func `lists the links of the running kernel, loopback among them`() throws {
        let links = try RouteSession().links()
        #expect(links.contains { $0.name == "lo" && $0.isLoopback })
    }
}
