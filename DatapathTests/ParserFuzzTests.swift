// SPDX-License-Identifier: Apache-2.0
import CParserHarness
import NetworkModel
import Testing

// The short run of what scripts/fuzz does at length: no root, no sanitizer, a guard page behind the frame.
@Suite struct ParserFuzzTests {
    /// A frame for every branch of the parser.
    private static let frames: [[UInt8]] = Family.allCases.flatMap { family -> [Packet] in
        let ip = Packet.ip(family.own, to: family.peer)
        let datagram = ip.udp(1, 2, payload: 40)
        return [
            ip.tcp(1, 2, .syn, payload: 8), datagram, ip.sctp(1, 2, .initiate), ip.echoRequest(3), ip.echoReply(3),
            ip.gre(), ip.icmp(family.otherICMP), ip.error(family.unreachable, quoting: datagram),
            ip.error(family.timeExceeded, quoting: ip.error(family.unreachable, quoting: datagram)),
            datagram.fragment(0..<16), datagram.fragment(16..<48, last: true), datagram.vlan(1).vlan(2, type: 0x88a8),
            family == .v4
                ? datagram.options([1, 1, 1, 0]) : datagram.extensionHeader(0).extensionHeader(51, byteCount: 16),
            family == .v4
                ? .arp(1, sender: family.own, target: family.peer)
                : ip.atomicFragmentHeader().extensionHeader(43, byteCount: 24).tcp(1, 2, .ack),
            family == .v4 ? ip.groupReport(family.allNodes) : ip.neighborDiscovery(136, target: family.own),
        ]
    }.map(\.bytes)

    private func mutate(_ frame: inout [UInt8], _ generator: inout SeededGenerator) {
        let word = generator.next()
        guard !frame.isEmpty else { return }
        // The headers are where it matters.
        let index = Int(word >> 8 & 0xff) % min(frame.count, 120)
        switch word & 7 {
        case 0: frame.removeLast(Int(word >> 16 & 0xff) % frame.count)
        case 1: frame.append(contentsOf: frame.prefix(Int(word >> 16 & 0x3f)))
        case 2: frame[index] = 0
        case 3: frame[index] = 0xff
        case 4, 5: frame[index] ^= 1 << UInt8(word >> 16 & 7)
        default: frame[index] = UInt8(truncatingIfNeeded: word >> 16)
        }
    }

    @Test func `two hundred thousand mutated frames are parsed within their bounds, each way to the same end`() {
        var generator = SeededGenerator(seed: 2)
        var frame: [UInt8] = []
        for number in 0..<200_000 {
            if number % 6 == 0 || frame.count > 2000 {
                frame = ParserFuzzTests.frames[number / 6 % ParserFuzzTests.frames.count]
            }
            mutate(&frame, &generator)
            // An odd first byte: all is at hand. An even one: a part.
            let input = [generator.next() & 3 == 0 ? UInt8(truncatingIfNeeded: generator.next()) : 1] + frame
            unsafe input.withUnsafeBufferPointer { unsafe bulkhead_check_parser($0.baseAddress, $0.count) }
        }
        #expect(ParserFuzzTests.frames.allSatisfy { $0.count > 14 })
    }
}
