// SPDX-License-Identifier: Apache-2.0
import CDatapathABI
import EventModel
import NetworkModel
import Testing

/// Packets and bytes of one counter.
struct Count: Hashable, Sendable {
    var packets: UInt64
    var bytes: UInt64
}

/// A rule's counter of one direction.
struct RuleCounter: Hashable, Sendable {
    var rule: UInt32
    var direction: Direction
}

/// Everything one packet caused.
struct Outcome: Sendable {
    var hook: Hook
    /// What counters and events should have as the packet's size.
    var length: Int
    var action: UInt32
    var events: [FlowEvent]
    /// What moved, by index of metrics_map.
    var metrics: [Int: Count]
    /// What moved of the slots below `Fixture.ruleSlotsRead`.
    var rules: [RuleCounter: Count]

    /// The next program in the chain goes on with the packet.
    var passed: Bool { action == UInt32(bitPattern: -1) }

    var event: FlowEvent? { events.first }

    /// How often a counter moved.
    func count(_ metric: Int) -> UInt64 { metrics[metric]?.packets ?? 0 }
}

extension Outcome {
    /// The packet was dropped for this reason, one event says so, and exactly the right counters moved.
    func expectDrop(
        _ reason: Int, rule: UInt32 = UInt32(RULE_NONE), reportedRule: UInt32? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let direction = hook.direction
        guard action == 2, events.count == 1 else {
            let cause = "expected a drop for reason \(reason) and one event, found action \(Int32(bitPattern: action))"
            Issue.record("\(cause) and \(events)", sourceLocation: sourceLocation)
            return
        }
        #expect(event?.verdict == .deny, sourceLocation: sourceLocation)
        #expect(event.map { Int($0.reason.rawValue) } == reason, sourceLocation: sourceLocation)
        #expect(event?.direction == direction, sourceLocation: sourceLocation)
        #expect(event?.rule == reportedRule ?? rule, sourceLocation: sourceLocation)
        let drops = metrics.filter { $0.key < Int(METRIC_EVENT_LOST) }
        let index = Int(METRIC_DROP) + reason * 2 + Int(direction.rawValue)
        #expect(drops == [index: Count(packets: 1, bytes: UInt64(length))], sourceLocation: sourceLocation)
        let counted = RuleCounter(rule: rule, direction: direction)
        let expected = rule == 0 ? [:] : [counted: Count(packets: 1, bytes: UInt64(length))]
        #expect(rules == expected, sourceLocation: sourceLocation)
    }

    /// The packet passed on this rule's account; `state` nil: without an event.
    func expectPass(
        rule: UInt32 = UInt32(RULE_NONE), state: FlowState?, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        guard passed else {
            Issue.record("dropped for \(String(describing: event?.reason))", sourceLocation: sourceLocation)
            return
        }
        #expect(events.map(\.state) == (state.map { [$0] } ?? []), sourceLocation: sourceLocation)
        #expect(events.allSatisfy { $0.verdict == .allow && $0.rule == rule }, sourceLocation: sourceLocation)
        #expect(!metrics.keys.contains { $0 < Int(METRIC_EVENT_LOST) }, sourceLocation: sourceLocation)
        let counted = RuleCounter(rule: rule, direction: hook.direction)
        #expect(rules == [counted: Count(packets: 1, bytes: UInt64(length))], sourceLocation: sourceLocation)
    }
}
