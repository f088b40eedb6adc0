// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EventModel
import FlowAggregation
import NetworkModel
import Testing

@testable import AgentCore

@Suite struct FlowRecordTests {
    private static func cause(_ verdict: Verdict, _ reason: DropReason, rule: UInt32 = 0) -> String {
        var event = FlowEvent(
            timestamp: 0, verdict: verdict, reason: reason, direction: .egress, state: .new, ipProtocol: .tcp,
            source: IPAddress("10.0.0.1") ?? .init(v4: 0), destination: IPAddress("10.0.0.2") ?? .init(v4: 0))
        event.rule = rule
        return FlowRecord(Flow(event, sequence: 1, time: 0, names: FlowNames())).rule
    }

    @Test func `a packet dropped for what it is names that, not a missing policy`() {
        #expect(Self.cause(.deny, .sourceAddress) == "the endpoint sent from an address that is not its own")
        #expect(Self.cause(.deny, .tcpFlags).hasPrefix("an impossible combination"))
        #expect(Self.cause(.allow, .none) == "no policy")
        #expect(Self.cause(.allow, .none, rule: 7) == "rule 7")
    }
}
