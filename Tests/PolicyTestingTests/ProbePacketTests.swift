// SPDX-License-Identifier: Apache-2.0

import PolicyReading
import PolicyTesting
import Testing

/// The frames of probes, byte for byte.
@Suite struct ProbePacketTests {
    private func bytes(_ probe: String) throws -> [UInt8] {
        let text = """
            apiVersion: bulkhead.dev/v1alpha1
            kind: PolicyTest
            metadata: {name: t}
            probes: [{\(probe), expect: allow}]
            """
        let set = PolicyTestReader().read(bytes: Array(text.utf8), file: "t.yaml")
        return ProbePacket(try #require(set.tests.first?.probes.first)).bytes
    }

    private static let ethernet: [UInt8] = [0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1]

    @Test func `a TCP probe over IPv4 is a SYN`() throws {
        let frame = try bytes("from: 192.0.2.1, to: 192.0.2.2, port: 443")
        let network: [UInt8] = [
            0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2,
        ]
        let transport: [UInt8] = [0xc0, 0, 0x01, 0xbb, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0x20, 0, 0, 0, 0, 0]
        #expect(frame == Self.ethernet + [0x08, 0x00] + network + transport)
    }

    @Test func `a UDP probe over IPv6 is a datagram`() throws {
        let frame = try bytes("from: \"2001:db8::1\", to: \"2001:db8::102\", port: 53, protocol: UDP")
        let prefix: [UInt8] = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        let network: [UInt8] = [0x60, 0, 0, 0, 0, 16, 17, 64] + prefix + [0, 1] + prefix + [1, 2]
        let transport: [UInt8] = [0xc0, 0, 0, 53, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        #expect(frame == Self.ethernet + [0x86, 0xdd] + network + transport)
    }

    @Test func `an SCTP probe begins an association`() throws {
        let frame = try bytes("from: 192.0.2.1, to: 192.0.2.2, port: 80, protocol: SCTP")
        #expect(frame[14 + 9] == 132 && frame[34..<38].elementsEqual([0xc0, 0, 0, 80]))
        #expect(frame[46] == 1 && frame.count == 14 + 20 + 12 + 20)
    }

    @Test func `client and server never share a port`() throws {
        let frame = try bytes("from: 192.0.2.1, to: 192.0.2.2, port: 49152, protocol: UDP")
        #expect(frame[34..<38].elementsEqual([0xc0, 1, 0xc0, 0]))
    }

    @Test func `an ICMP error quotes a datagram of its receiver`() throws {
        let frame = try bytes("from: 192.0.2.1, to: 192.0.2.2, protocol: ICMP, icmpType: 3")
        #expect(frame[34] == 3 && frame[42] == 0x45)
        #expect(frame[54..<62].elementsEqual([192, 0, 2, 2, 192, 0, 2, 1]))
        let request = try bytes("from: 192.0.2.1, to: 192.0.2.2, protocol: ICMP")
        #expect(request[34..<42].elementsEqual([8, 0, 0, 0, 0, 7, 0, 1]))
    }

    @Test func `other protocols carry nothing of interest`() throws {
        let frame = try bytes("from: 192.0.2.1, to: 192.0.2.2, protocol: 47")
        #expect(frame[14 + 9] == 47 && frame.dropFirst(34).allSatisfy { $0 == 0 })
    }
}
