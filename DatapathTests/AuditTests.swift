// SPDX-License-Identifier: Apache-2.0
import CDatapathABI
import EventModel
import NetworkModel
import Testing

extension DatapathTests {
    /// Audit mode: of everything, of an endpoint, of single policies.
    @Suite struct AuditTests {
        private let fixture: Fixture

        init() throws { fixture = try Fixture.fresh() }

        private func expectAudit(
            _ outcome: Outcome, _ reason: DropReason, rule: UInt32, state: FlowState,
            sourceLocation: SourceLocation = #_sourceLocation
        ) {
            #expect(outcome.passed, sourceLocation: sourceLocation)
            #expect(outcome.events.count == 1, sourceLocation: sourceLocation)
            #expect(outcome.event?.verdict == .audit, sourceLocation: sourceLocation)
            #expect(outcome.event?.reason == reason, sourceLocation: sourceLocation)
            #expect(outcome.event?.rule == rule, sourceLocation: sourceLocation)
            #expect(outcome.event?.state == state, sourceLocation: sourceLocation)
            #expect(
                outcome.metrics[Int(METRIC_AUDITED)] == Count(packets: 1, bytes: UInt64(outcome.length)),
                sourceLocation: sourceLocation)
            #expect(outcome.metrics.keys.allSatisfy { $0 > 127 }, "no drop counted", sourceLocation: sourceLocation)
        }

        enum Scope: CaseIterable { case everything, endpoint }

        @Test(arguments: PolicyTests.directions, Scope.allCases)
        func `audit mode lets pass what it reports`(on side: (Family, Direction), scope: Scope) throws {
            let (family, direction) = side
            switch scope {
            case .everything: fixture.setFlags(CONFIG_AUDIT)
            case .endpoint: try fixture.setEndpoint(flags: ENDPOINT_AUDIT)
            }
            try fixture.commit(
                TestPolicy().defaultDeny(direction).deny(direction, .ports(.udp, 53), rule: 21))
            let talk = Talk(
                family: family, local: family.own, remote: family.peer,
                localPort: direction == .egress ? 40000 : 53, remotePort: direction == .egress ? 53 : 40000)
            expectAudit(try fixture.udp(talk, direction), .policyDeny, rule: 21, state: .new)
            let next = try fixture.udp(talk, direction.opposite)
            #expect(next.passed && next.events.isEmpty && next.count(METRIC_AUDITED) == 1)
            #expect(try fixture.onlyFlow()?.isAudited == true)
            let other = Talk(
                family: family, local: family.own, remote: family.stranger, localPort: 9, remotePort: 9)
            expectAudit(try fixture.udp(other, direction), .policyDefaultDeny, rule: 60, state: .new)
        }

        @Test(arguments: Family.allCases) func `audit mode covers policy, not broken or forged packets`(
            family: Family
        ) throws {
            fixture.setFlags(CONFIG_AUDIT)
            let forged = Packet.ip(family.peer, to: family.world).udp(1, 2)
            try fixture.send(forged).expectDrop(DROP_SOURCE_ADDRESS)
            try fixture.tcp(.client(family), .egress, [.syn, .fin]).expectDrop(DROP_TCP_FLAGS)
        }

        @Test(arguments: PolicyTests.directions) func `a policy in audit mode reports and does not cut`(
            family: Family, direction: Direction
        ) throws {
            try fixture.commit(
                TestPolicy().allow(direction, .everything, rule: 20)
                    .deny(direction, .ports(.udp, 53), rule: 21, mode: .audit))
            let talk = Talk(
                family: family, local: family.own, remote: family.peer, localPort: 53, remotePort: 53)
            expectAudit(try fixture.udp(talk, direction), .policyDeny, rule: 21, state: .new)
            // An audited default deny beside enforced policies.
            try fixture.forgetFlows()
            try fixture.commit(TestPolicy().defaultDeny(direction, rule: 40, mode: .audit))
            expectAudit(try fixture.udp(talk, direction), .policyDefaultDeny, rule: 40, state: .new)
        }

        @Test(arguments: PolicyTests.directions) func `an allow in audit mode allows nothing`(
            family: Family, direction: Direction
        ) throws {
            try fixture.commit(
                TestPolicy().defaultDeny(direction)
                    .allow(direction, .ports(.udp, 53), rule: 20, mode: .audit))
            let talk = Talk(
                family: family, local: family.own, remote: family.peer, localPort: 53, remotePort: 53)
            try fixture.udp(talk, direction).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
        }

        @Test(arguments: PolicyTests.directions) func `an enforced deny cuts beside an audited allow`(
            family: Family, direction: Direction
        ) throws {
            try fixture.commit(
                TestPolicy().deny(direction, .ports(.udp, 53), rule: 21)
                    .allow(direction, .everything, rule: 20, priority: 1, mode: .audit))
            let talk = Talk(
                family: family, local: family.own, remote: family.peer, localPort: 53, remotePort: 53)
            try fixture.udp(talk, direction).expectDrop(DROP_POLICY_DENY, rule: 21)
        }

        @Test(arguments: Family.allCases) func `an audited flow says so in every report, to its end`(
            family: Family
        ) throws {
            fixture.setFlags(CONFIG_AUDIT)
            fixture.setReportInterval(ticks: 0)
            try fixture.commit(TestPolicy().defaultDeny(.egress))
            let talk = Talk.client(family)
            expectAudit(try fixture.tcp(talk, .egress, .syn), .policyDefaultDeny, rule: 60, state: .new)
            expectAudit(try fixture.tcp(talk, .ingress, .synAck), .policyDefaultDeny, rule: 60, state: .reply)
            expectAudit(try fixture.tcp(talk, .egress, .ack), .policyDefaultDeny, rule: 60, state: .established)
            expectAudit(try fixture.tcp(talk, .egress, .rst), .policyDefaultDeny, rule: 60, state: .closed)
        }

        @Test(arguments: Family.allCases) func `what audit mode let in is judged again when the policy changes`(
            family: Family
        ) throws {
            fixture.setFlags(CONFIG_AUDIT)
            try fixture.commit(TestPolicy().defaultDeny(.egress))
            let talk = Talk.client(family)
            try fixture.tcp(talk, .egress, .syn)
            try fixture.commit(TestPolicy().defaultDeny(.egress, rule: 41))
            let audited = try fixture.tcp(talk, .egress, .ack)
            expectAudit(audited, .policyDefaultDeny, rule: 41, state: .established)
            fixture.setFlags()
            try fixture.commit(TestPolicy().defaultDeny(.egress))
            try fixture.tcp(talk, .egress, .ack).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            fixture.setFlags(CONFIG_AUDIT)
            try fixture.commit(TestPolicy())
            try fixture.tcp(talk, .egress, .ack).expectPass(state: nil)
            #expect(try fixture.onlyFlow()?.isAudited == false)
        }
    }
}
