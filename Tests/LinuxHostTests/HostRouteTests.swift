// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import Testing

@testable import LinuxHost

@Suite struct HostRouteTests {
    private let request = """
        1c 00 00 00 1a 00 01 03 01 00 00 00 00 00 00 00  # 28 bytes, RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP
        00 00 00 00 00 00 00 00 00 00 00 00              # struct rtmsg
        """
    private let done = "14 00 00 00 03 00 02 00 01 00 00 00 00 00 00 00 00 00 00 00"

    private func read(_ messages: String...) throws -> [HostRoute] {
        try RouteSession(FakeNetlink([(request, messages + [done])])).routes()
    }

    @Test func `reads a neighbour's prefix, a default route and an address of the host`() throws {
        let connected = """
            34 00 00 00 18 00 02 00 01 00 00 00 00 00 00 00  # 52 bytes, RTM_NEWROUTE
            02 18 00 00 fe 02 fd 01 00 00 00 00              # AF_INET, /24, main, scope link, unicast
            08 00 0f 00 fe 00 00 00                          # RTA_TABLE main
            08 00 01 00 0a 46 00 00                          # RTA_DST 10.70.0.0
            08 00 04 00 03 00 00 00                          # RTA_OIF 3
            """
        let gateway = """
            40 00 00 00 18 00 02 00 01 00 00 00 00 00 00 00
            0a 00 00 00 fe 09 00 01 00 00 00 00              # AF_INET6, /0, main, unicast
            08 00 04 00 02 00 00 00                          # RTA_OIF 2
            14 00 05 00 fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 01  # RTA_GATEWAY fe80::1
            08 00 0f 00 fe 00 00 00
            """
        let own = """
            2c 00 00 00 18 00 02 00 01 00 00 00 00 00 00 00
            02 20 00 00 ff 02 fe 02 00 00 00 00              # /32, local, RTN_LOCAL
            08 00 01 00 0a 46 00 01                          # RTA_DST 10.70.0.1
            08 00 04 00 03 00 00 00
            """
        #expect(
            try read(connected, gateway, own) == [
                HostRoute(CIDR(IPAddress(v4: 0x0a46_0000), length: 24), hops: [.init(device: 3)]),
                HostRoute(
                    CIDR(IPAddress(high: 0, low: 0), length: 0),
                    hops: [.init(device: 2, gateway: IPAddress(high: 0xfe80 << 48, low: 1))]),
                HostRoute(CIDR(IPAddress(v4: 0x0a46_0001), length: 32), table: 255, isOwn: true),
            ])
    }

    @Test func `reads each way of a multipath route, and passes over multicast and cached ones`() throws {
        let multipath = """
            44 00 00 00 18 00 02 00 01 00 00 00 00 00 00 00
            02 08 00 00 fe 03 00 01 00 00 00 00              # /8
            08 00 01 00 0a 00 00 00
            20 00 09 00                                      # RTA_MULTIPATH
            10 00 00 00 02 00 00 00 08 00 05 00 0a 46 00 02  # device 2 via 10.70.0.2
            0c 00 00 00 05 00 00 00                          # device 5; the attribute is cut off
            ff ff 05 00
            """
        let multicast = """
            1c 00 00 00 18 00 02 00 01 00 00 00 00 00 00 00
            0a 08 00 00 ff 02 00 05 00 00 00 00              # RTN_MULTICAST
            """
        let cached = """
            1c 00 00 00 18 00 02 00 01 00 00 00 00 00 00 00
            02 00 00 00 fe 02 00 01 00 02 00 00              # RTM_F_CLONED
            """
        let routes = try read(multipath, multicast, cached)
        #expect(routes.count == 1)
        #expect(
            routes.first?.hops == [.init(device: 2, gateway: IPAddress(v4: 0x0a46_0002)), .init(device: 5)])
    }

    @Test func `the longest prefix of each table counts, and a route that refuses hides the shorter one`() throws {
        func route(_ text: String, _ length: Int, _ device: Int32?, table: UInt32 = 254) throws -> HostRoute {
            HostRoute(
                CIDR(try #require(IPAddress(text)), length: length), table: table,
                hops: device.map { [.init(device: $0)] } ?? [])
        }
        let table = RouteTable([
            try route("0.0.0.0", 0, 1), try route("10.0.0.0", 8, 2), try route("10.1.0.0", 16, 3),
            try route("10.1.1.0", 24, nil), try route("10.0.0.0", 8, 9, table: 7), try route("fd00::", 64, 4),
        ])
        func devices(_ text: String) throws -> Set<Int32> {
            Set(table.hops(to: try #require(IPAddress(text))).map(\.device))
        }
        #expect(try devices("192.0.2.1") == [1])
        #expect(try devices("10.9.9.9") == [2, 9])
        #expect(try devices("10.1.9.9") == [3, 9])
        #expect(try devices("10.1.1.9") == [9])
        #expect(try devices("fd00::7") == [4])
        #expect(try devices("fd01::7").isEmpty)
        #expect(table.devices(isIPv4: false) == [4])
    }

    @Test func `lists the routes of the running kernel: loopback is its own`() throws {
        let table = RouteTable(try RouteSession().routes())
        #expect(table.isOwn(IPAddress(v4: 0x7f00_0001)))
    }
}
