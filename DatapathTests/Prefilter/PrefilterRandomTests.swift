// SPDX-License-Identifier: Apache-2.0
import CDatapathABI
import KernelDatapath
import NetworkModel
import Testing

extension DatapathTests {
    /// `xdp_prefilter` and `tc_prefilter` against the model, about random packets.
    @Suite struct PrefilterRandomTests {
        private static let deny = [
            "198.51.100.0/25", "203.0.113.7/32", "2001:db8:5::/48", "2001:db8:6::7/128", "192.0.2.0/24",
        ]
        private static let allow = ["198.51.100.64/26", "192.0.2.9/32", "2001:db8:5:1::/64"]
        private static let blocked = ["198.51.100.200/32", "203.0.114.0/24", "2001:db8:7::/64", "2001:db8:6::8/128"]

        @Test(arguments: [1, 2, 3, 4] as [UInt64]) func `kernel and model agree about random packets`(seed: UInt64)
            throws
        {
            let fixture = try PrefilterFixture { $0.reflectorPorts = [] }
            try fixture.feeds(deny: PrefilterRandomTests.deny, allow: PrefilterRandomTests.allow)
            let blocks = try PrefilterRandomTests.blocked.map { try #require(CIDR($0)) }
            for block in blocks { try fixture.tables.block(block, for: .seconds(600)) }
            let model = PrefilterModel(
                denied: try PrefilterRandomTests.deny.map { try #require(CIDR($0)) },
                allowed: try PrefilterRandomTests.allow.map { try #require(CIDR($0)) }, blocked: blocks)
            var generator = SeededGenerator(seed: seed)
            var seen: [PrefilterModel.Answer: Int] = [:]
            for round in 0..<3000 {
                let frame = PrefilterRandomTests.frame(&generator)
                let answer = model.answer(frame)
                seen[answer, default: 0] += 1
                let result = try fixture.send(frame, .frame)
                #expect(
                    result.passed == isPass(answer), "seed \(seed) round \(round): \(answer), \(result.moved), \(frame)"
                )
                guard case .drop(let reason) = answer else { continue }
                let expected: UInt64 = 1
                #expect(
                    result.moved[PREFILTER_DROPPED + reason] == expected,
                    "seed \(seed) round \(round): \(answer), \(result.moved), \(frame)")
            }
            // The draws reach what they are for.
            for reason in [
                DROP_TRUNCATED, DROP_IP_HEADER, DROP_TCP_FLAGS, DROP_SHIELD_FEED, DROP_SHIELD_BLOCK,
                DROP_SHIELD_TRANSPORT,
                DROP_SHIELD_MARTIAN, DROP_FRAGMENT_MALFORMED,
            ] {
                #expect(seen[.drop(reason), default: 0] > 5, "\(reason): \(seen)")
            }
            #expect(seen[.pass, default: 0] > 300)
        }

        private func isPass(_ answer: PrefilterModel.Answer) -> Bool {
            if case .drop = answer { false } else { true }
        }

        /// A packet that is right, and then often bent in its headers or cut.
        private static func frame(_ generator: inout SeededGenerator) -> [UInt8] {
            let isIPv4 = Bool.random(using: &generator)
            let source = address(isIPv4, &generator)
            let target =
                Int.random(in: 0..<40, using: &generator) == 0 ? source : isIPv4 ? Family.v4.own : Family.v6.own
            var packet = transport(.ip(source, to: target), &generator)
            if !isIPv4, Int.random(in: 0..<4, using: &generator) == 0 {
                for _ in 0..<Int.random(in: 1...7, using: &generator) {
                    let number: UInt8 = [0, 43, 60, 51, 135].randomElement(using: &generator) ?? 0
                    packet = packet.extensionHeader(number, byteCount: 8 * Int.random(in: 1...3, using: &generator))
                }
            }
            for _ in 0..<(Int.random(in: 0..<6, using: &generator) == 0 ? Int.random(in: 1...3, using: &generator) : 0)
            {
                packet = packet.vlan(UInt16.random(in: 1...4000, using: &generator))
            }
            if Int.random(in: 0..<6, using: &generator) == 0 {
                packet = packet.hopLimit([1, 255].randomElement(using: &generator) ?? 1)
            }
            if Int.random(in: 0..<6, using: &generator) == 0 {
                let count = packet.transportBytes.count / 8 * 8
                let from = Int.random(in: 0...(count / 8), using: &generator) * 8
                packet = packet.fragment(from..<count, last: Bool.random(using: &generator))
            }
            var bytes = packet.padded(Int.random(in: 0..<20, using: &generator)).bytes
            if Int.random(in: 0..<2, using: &generator) == 0 {
                for _ in 0..<Int.random(in: 1...3, using: &generator) {
                    let place = Int.random(in: 12..<min(bytes.count, 90), using: &generator)
                    bytes[place] =
                        [0, 1, 0xff, 44, UInt8.random(in: 0...255, using: &generator)].randomElement(using: &generator)
                        ?? 0
                }
            }
            if Int.random(in: 0..<8, using: &generator) == 0 {
                bytes = Array(bytes.prefix(Int.random(in: 14...bytes.count, using: &generator)))
            }
            return bytes
        }

        private static func transport(_ packet: Packet, _ generator: inout SeededGenerator) -> Packet {
            let ports = { (generator: inout SeededGenerator) in
                [0, 22, 53, 67, UInt16.random(in: 1...65535, using: &generator)].randomElement(using: &generator) ?? 1
            }
            let payload = Int.random(in: 0..<80, using: &generator)
            switch Int.random(in: 0..<8, using: &generator) {
            case 0, 1, 2:
                let flags =
                    Bool.random(using: &generator)
                    ? TCPFlags.ack : TCPFlags(rawValue: UInt8.random(in: 0...63, using: &generator))
                return packet.tcp(ports(&generator), ports(&generator), flags, payload: payload)
            case 3, 4: return packet.udp(ports(&generator), ports(&generator), payload: payload)
            case 5:
                return packet.icmp(
                    UInt8.random(in: 0...255, using: &generator), body: [UInt8](repeating: 1, count: payload))
            case 6: return packet.sctp(ports(&generator), ports(&generator), .initiate)
            default:
                return packet.transport(
                    [2, 47, 59, 1, 58, 0].randomElement(using: &generator) ?? 2, [UInt8](repeating: 3, count: payload))
            }
        }

        private static func address(_ isIPv4: Bool, _ generator: inout SeededGenerator) -> IPAddress {
            let low = UInt32.random(in: 0...255, using: &generator)
            if isIPv4 {
                let nets: [UInt32] = [
                    0xc633_6400, 0xcb00_7100, 0xcb00_7200, 0xc000_0200, 0x0a00_0000, 0x7f00_0000, 0xe000_0000, 0,
                ]
                return IPAddress(v4: (nets.randomElement(using: &generator) ?? 0) | low)
            }
            let nets: [UInt64] = [
                0x2001_0db8_0005_0000, 0x2001_0db8_0005_0001, 0x2001_0db8_0006_0000, 0x2001_0db8_0007_0000,
                0xfe80_0000_0000_0000,
                0xff02_0000_0000_0000, 0,
            ]
            return IPAddress(high: nets.randomElement(using: &generator) ?? 0, low: UInt64(low & 15))
        }
    }
}
