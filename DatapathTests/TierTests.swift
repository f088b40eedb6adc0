// SPDX-License-Identifier: Apache-2.0
import CDatapathABI
import EventModel
import NetworkModel
import PolicyCompiler
import Testing

extension DatapathTests {
    /// Tiers asked one after the other: who ends the search, who leaves it to the next, and what flows remember.
    @Suite struct TierTests {
        private let fixture: Fixture

        init() throws { fixture = try Fixture.fresh() }

        private static let admin: UInt16 = 1
        private static let baseline: UInt16 = 2

        private func tcp(_ port: UInt16) -> TestPolicy.Ports { .ports(.tcp, port) }

        private func open(_ port: UInt16, _ direction: Direction = .egress) throws -> Outcome {
            try fixture.forgetFlows()
            let packet = Packet.ip(Family.v4.own, to: Family.v4.peer).tcp(40000, port, .syn)
            let reverse = Packet.ip(Family.v4.peer, to: Family.v4.own).tcp(40000, port, .syn)
            return try fixture.send(direction == .egress ? packet : reverse, Hook(direction))
        }

        @Test(arguments: Direction.allCases)
        func `an earlier tier's allow or deny is final, its pass and its silence are not`(_ direction: Direction) throws
        {
            let admin = TestPolicy(tier: TierTests.admin).allow(direction, tcp(80), rule: 21)
                .deny(direction, tcp(81), rule: 22).pass(direction, tcp(82), rule: 23)
            let own = TestPolicy(tier: 0).allow(direction, tcp(81), rule: 24).deny(direction, tcp(82), rule: 25)
                .allow(direction, tcp(83), rule: 26).defaultDeny(direction)
            let baseline = TestPolicy(tier: TierTests.baseline).allow(direction, .everything, rule: 27)
            try fixture.commit(admin.then(own).then(baseline))
            try open(80, direction).expectPass(rule: 21, state: .new)
            try open(81, direction).expectDrop(DROP_POLICY_DENY, rule: 22)
            try open(82, direction).expectDrop(DROP_POLICY_DENY, rule: 25)
            try open(83, direction).expectPass(rule: 26, state: .new)
            // The default tier is closed: the baseline is not asked.
            try open(84, direction).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
        }

        @Test func `a pass leads out of a closed tier, and behind the last one everything is allowed`() throws {
            let admin = TestPolicy(tier: TierTests.admin).pass(.egress, tcp(82), rule: 23).defaultDeny(.egress)
            let baseline = TestPolicy(tier: TierTests.baseline).deny(.egress, tcp(83), rule: 27)
            try fixture.commit(admin.then(baseline))
            try open(82).expectPass(rule: 0, state: .new)
            try open(83).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
        }

        private func expectAudit(_ outcome: Outcome, rule: UInt32) {
            #expect(outcome.passed)
            #expect(outcome.events.map(\.verdict) == [.audit])
            #expect(outcome.event?.reason == .policyDeny && outcome.event?.rule == rule)
        }

        @Test func `audit mode has its own way through the tiers`() throws {
            let admin = TestPolicy(tier: TierTests.admin).deny(.egress, tcp(80), rule: 21, mode: .audit)
                .pass(.egress, tcp(81), rule: 22, priority: 1, mode: .audit).allow(.egress, tcp(81), rule: 23)
                .deny(.egress, tcp(82), rule: 24, mode: .audit)
            let own = TestPolicy(tier: 0).allow(.egress, tcp(80), rule: 25).deny(.egress, tcp(81), rule: 26)
                .deny(.egress, tcp(82), rule: 27)
            try fixture.commit(admin.then(own))
            // Enforced: the default tier allows. All: the admin tier would cut.
            try expectAudit(open(80), rule: 21)
            // Enforced: the admin tier allows. All: it would pass, and the default tier cuts.
            try expectAudit(open(81), rule: 26)
            // Both cut: what is enforced is named.
            try open(82).expectDrop(DROP_POLICY_DENY, rule: 27)
        }

        @Test func `a change of any tier judges established flows again`() throws {
            let own = TestPolicy(tier: 0).allow(.egress, .everything, rule: 24).defaultDeny(.egress)
            try fixture.commit(own)
            let talk = Talk.client(.v4)
            try fixture.establish(talk, openedBy: .egress)
            try fixture.commit(TestPolicy(tier: TierTests.admin).deny(.egress, .everything, rule: 21).then(own))
            try fixture.tcp(talk, .egress, .ack).expectDrop(DROP_POLICY_DENY, rule: 21)
            try fixture.commit(TestPolicy(tier: TierTests.admin).pass(.egress, .everything, rule: 22).then(own))
            let again = try fixture.tcp(talk, .egress, .ack)
            again.expectPass(rule: 24, state: nil)
            #expect(again.count(METRIC_REEVALUATED) == 1)
        }
    }
}
