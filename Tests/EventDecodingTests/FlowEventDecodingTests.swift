// SPDX-License-Identifier: Apache-2.0

import CDatapathABI
import EventDecoding
import EventModel
import IdentityModel
import NetworkModel
import Testing

@Suite struct FlowEventDecodingTests {
    /// A TCP SYN from 10.1.2.3:40000 to [::ffff:10.4.5.6]:443, denied by default.
    private func record() -> flow_event {
        var record = flow_event()
        record.kind = UInt8(EVENT_FLOW)
        record.verdict = UInt8(VERDICT_DENY)
        record.reason = UInt8(DROP_POLICY_DEFAULT_DENY)
        record.direction = UInt8(DIRECTION_INGRESS)
        record.conntrack = UInt8(FLOW_NEW)
        record.protocol = 6
        record.family = 4
        record.tcp_flags = 2
        record.timestamp = 123_456_789
        record.source.bytes = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 2, 3)
        record.destination.bytes = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 4, 5, 6)
        record.source_port = UInt16(40000).bigEndian
        record.destination_port = UInt16(443).bigEndian
        record.endpoint = 7
        record.vlan = 12
        record.subject = 3
        record.identity = 300
        record.peer_identity = 0x0100_0001
        record.rule = 21
        record.generation = 9
        record.length = 60
        record.ifindex = 44
        record.packets = 2
        record.bytes = 120
        return record
    }

    private func decode(_ record: flow_event, length: Int = 96) -> FlowEvent? {
        var copy = record
        return unsafe withUnsafeBytes(of: &copy) { buffer in
            FlowEvent(decoding: unsafe RawSpan(_unsafeBytes: buffer).extracting(first: length))
        }
    }

    @Test func `every field of the record arrives in the event`() throws {
        let event = try #require(decode(record()))
        #expect(event.verdict == .deny && event.reason == .policyDefaultDeny && event.direction == .ingress)
        #expect(event.state == .new && event.ipProtocol == .tcp && event.family == 4 && event.tcpFlags == 2)
        #expect(event.timestamp == 123_456_789)
        #expect(event.source == IPAddress(v4: 0x0a01_0203) && event.destination == IPAddress(v4: 0x0a04_0506))
        #expect(event.sourcePort == 40000 && event.destinationPort == 443)
        #expect(event.endpoint == 7 && event.vlan == 12 && event.subject == 3 && event.interfaceIndex == 44)
        #expect(event.identity == NumericIdentity(rawValue: 300))
        #expect(event.peerIdentity == NumericIdentity(rawValue: 0x0100_0001))
        #expect(event.rule == 21 && event.generation == 9 && event.length == 60)
        #expect(event.packets == 2 && event.bytes == 120)
        #expect(event.peerAddress == event.source && event.endpointAddress == event.destination)
    }

    @Test(arguments: [0, 1, 8, 95])
    func `a record cut short is refused`(length: Int) {
        #expect(decode(record(), length: length) == nil)
    }

    @Test func `kinds and enum values this version does not know are refused`() {
        let damages: [(inout flow_event) -> Void] = [
            { $0.kind = 0 }, { $0.kind = 2 }, { $0.verdict = 0 }, { $0.verdict = 5 },
            { $0.reason = UInt8(DROP_REASON_COUNT) }, { $0.direction = 2 }, { $0.conntrack = 0 }, { $0.conntrack = 7 },
        ]
        for damage in damages {
            var damaged = record()
            damage(&damaged)
            #expect(decode(damaged) == nil)
        }
    }

    @Test func `the Swift enums cover the kernel's numbers`() {
        #expect(DropReason.allCases.count == Int(DROP_REASON_COUNT))
        #expect(DropReason.policyTable.rawValue == UInt8(DROP_POLICY_TABLE))
        #expect(DropReason.fragmentUntracked.rawValue == UInt8(DROP_FRAGMENT_UNTRACKED))
        #expect(DropReason.arpSpoofed.rawValue == UInt8(DROP_ARP_SPOOFED))
        #expect(Verdict.redirect.rawValue == UInt8(VERDICT_REDIRECT) && Verdict.audit.rawValue == UInt8(VERDICT_AUDIT))
        #expect(FlowState.untracked.rawValue == UInt8(FLOW_UNTRACKED) && FlowState.reply.rawValue == UInt8(FLOW_REPLY))
        #expect(Direction.egress.rawValue == UInt8(DIRECTION_EGRESS))
    }

    @Test func `arbitrary bytes are accepted or refused but never trap`() {
        var generator = SplitMix(state: 42)
        var accepted = 0
        for _ in 0..<20_000 {
            var bytes = (0..<Int.random(in: 0...128, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            // Half of the inputs get a plausible header, so that the fields behind it are exercised too.
            if bytes.count > 5, Bool.random(using: &generator) { bytes.replaceSubrange(0..<5, with: [1, 2, 1, 0, 1]) }
            if unsafe fuzzEventDecoder(bytes.span.bytes) { accepted += 1 }
        }
        #expect(accepted > 1000)
    }
}

private struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
