// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import EventModel
import NetworkModel
import PolicyCompiler
import Testing

extension DatapathTests {
    /// What passes through the host, where policies are about that: tc_forwarded_in, tc_forwarded_out, and
    /// tc_to_network_rest behind the latter.
    @Suite struct ForwardTests {
        private let fixture: Fixture
        /// Of the stage; the host has its own.
        private static let subject: UInt16 = 9
        private let stage = TestPolicy(subject: ForwardTests.subject)
        private let hostClosed = TestPolicy().defaultDeny(.ingress).defaultDeny(.egress)

        init() throws {
            fixture = try Fixture.fresh()
            try fixture.setEndpoint(flags: ENDPOINT_HOST)
        }

        /// Puts policies in force: of the stage, and of the host itself.
        private func commit(_ stage: TestPolicy, host: TestPolicy? = nil) throws {
            var state = stage.mapState
            let own = (host ?? hostClosed).mapState
            state.policy.merge(own.policy) { $1 }
            state.subjects.merge(own.subjects) { $1 }
            state.ipcache = Fixture.mappings
            fixture.config.forward_subject = UInt32(ForwardTests.subject)
            try fixture.commit(state)
        }

        private func from(_ source: IPAddress, _ destination: IPAddress) -> Packet {
            Packet.ip(source, to: destination).toUs()
        }

        private func expectUntouched(_ outcome: Outcome, sourceLocation: SourceLocation = #_sourceLocation) {
            #expect(outcome.passed, sourceLocation: sourceLocation)
            #expect(outcome.events.isEmpty && outcome.rules.isEmpty, sourceLocation: sourceLocation)
        }

        @Test(arguments: Family.allCases) func `what comes in for others is judged by the stage, replies by their flow`(
            family: Family
        ) throws {
            try commit(
                stage.allow(.ingress, .ports(.tcp, 80), peer: Fixture.peerIdentity, rule: 20).defaultDeny(.ingress))
            let into = from(family.peer, family.world), back = from(family.world, family.peer)
            let first = try fixture.send(into.tcp(40000, 80, .syn), .fromNetwork)
            first.expectPass(rule: 20, state: .new)
            #expect(first.event?.endpoint == Fixture.endpoint && first.event?.peerIdentity == Fixture.peerIdentity)
            try fixture.send(back.tcp(80, 40000, .synAck), .toNetwork, cameFrom: 4).expectPass(rule: 20, state: nil)
            try fixture.send(into.tcp(40000, 80, .ack), .fromNetwork).expectPass(rule: 20, state: nil)
            try fixture.send(into.tcp(40000, 81, .syn), .fromNetwork).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            try fixture.send(from(family.stranger, family.world).tcp(40000, 80, .syn), .fromNetwork).expectDrop(
                DROP_POLICY_DEFAULT_DENY, rule: 60)
            // It is none of the host's flows, whose room it must not take.
            var owners: [UInt16] = []
            fixture.maps.conntrack.forEach { key, _ in owners.append(key.endpoint) }
            #expect(owners == [0])
            #expect(try fixture.maps.endpointFlows.value(for: UInt32(Fixture.endpoint)) == 0)
        }

        @Test(arguments: Family.allCases) func `what leaves for others is judged where it leaves`(family: Family) throws
        {
            try commit(stage.deny(.egress, .ports(.tcp, 25), rule: 21))
            let packet = from(family.peer, family.stranger)
            try fixture.send(packet.tcp(40000, 25, .syn), .toNetwork, cameFrom: 4).expectDrop(
                DROP_POLICY_DENY, rule: 21)
            try fixture.send(packet.tcp(40000, 80, .syn), .toNetwork, cameFrom: 4).expectPass(rule: 0, state: .new)
            // A direction that no policy is about is open.
            try fixture.send(packet.tcp(40000, 25, .syn), .fromNetwork).expectPass(rule: 0, state: .new)
        }

        @Test(arguments: Family.allCases) func `the host's own packets are the host's, whatever the stage says`(
            family: Family
        ) throws {
            try commit(
                stage.deny(.ingress, .everything, rule: 21).deny(.egress, .everything, rule: 22),
                host: hostClosed.allow(.ingress, .ports(.tcp, 80), rule: 30).allow(.egress, .ports(.tcp, 443), rule: 31)
            )
            try fixture.send(from(family.peer, family.own).tcp(40000, 80, .syn), .fromNetwork).expectPass(
                rule: 30, state: .new)
            try fixture.send(from(family.peer, family.own).tcp(40000, 81, .syn), .fromNetwork).expectDrop(
                DROP_POLICY_DEFAULT_DENY, rule: 60)
            try fixture.send(from(family.own, family.peer).tcp(40000, 443, .syn), .toNetwork).expectPass(
                rule: 31, state: .new)
            // Without an address yet (DHCP): made here, so it passes through nothing.
            expectUntouched(try fixture.send(from(family.unspecified, family.world).udp(68, 67), .toNetwork))
        }

        @Test(arguments: Family.allCases) func `bridged frames and groups do not pass through`(family: Family) throws {
            try commit(stage.deny(.ingress, .everything, rule: 21).deny(.egress, .everything, rule: 22))
            let bridged = Packet.ip(family.peer, to: family.stranger).tcp(40000, 80, .syn)
            expectUntouched(try fixture.send(bridged, .fromNetwork))
            expectUntouched(try fixture.send(bridged, .toNetwork, cameFrom: 4))
            #expect(try fixture.flows().isEmpty)
        }

        @Test(arguments: Family.allCases) func `what is masqueraded is judged, and its replies come in`(
            family: Family
        ) throws {
            try commit(stage.allow(.egress, .ports(.tcp, 443), rule: 20).defaultDeny(.egress).defaultDeny(.ingress))
            let out = from(family.own, family.peer)
            let outcome = try fixture.send(out.tcp(40000, 443, .syn), .toNetwork, cameFrom: 4)
            #expect(outcome.passed && outcome.events.map(\.rule) == [20, UInt32(RULE_FORWARDED)])
            try fixture.send(from(family.peer, family.own).tcp(443, 40000, .synAck), .fromNetwork).expectPass(
                rule: UInt32(RULE_FORWARDED), state: nil)
            try fixture.send(out.tcp(40000, 25, .syn), .toNetwork, cameFrom: 4).expectDrop(
                DROP_POLICY_DEFAULT_DENY, rule: 60)
            // Revoked: the next packet on its way out ends there.
            try commit(stage.defaultDeny(.egress))
            try fixture.send(out.tcp(40000, 443, .ack), .toNetwork, cameFrom: 4).expectDrop(
                DROP_POLICY_DEFAULT_DENY, rule: 60)
        }

        @Test(arguments: Family.allCases)
        func `what is masqueraded and asks for names is the host's too, for its answers`(
            family: Family
        ) throws {
            try commit(stage.allow(.egress, .ports(.udp, 53), rule: 20).defaultDeny(.egress).defaultDeny(.ingress))
            #expect(try fixture.send(from(family.own, family.peer).udp(40000, 53), .toNetwork, cameFrom: 4).passed)
            try fixture.send(from(family.peer, family.own).udp(53, 40000), .fromNetwork).expectPass(
                rule: UInt32(RULE_FORWARDED), state: nil)
        }

        @Test(arguments: Family.allCases) func `a changed policy judges open flows again`(family: Family) throws {
            try commit(stage.allow(.ingress, .ports(.tcp, 80), rule: 20).defaultDeny(.ingress))
            let into = from(family.peer, family.world)
            try fixture.send(into.tcp(40000, 80, .syn), .fromNetwork).expectPass(rule: 20, state: .new)
            try commit(stage.allow(.ingress, .ports(.tcp, 80), rule: 23).defaultDeny(.ingress))
            try fixture.send(into.tcp(40000, 80, .ack), .fromNetwork).expectPass(rule: 23, state: nil)
            try commit(stage.defaultDeny(.ingress))
            try fixture.send(into.tcp(40000, 80, .ack), .fromNetwork).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
        }

        @Test(arguments: Family.allCases) func `failsafe ports are ways into the host, not through it`(
            family: Family
        ) throws {
            try fixture.maps.failsafe.update(failsafe_key(port: UInt16(22).bigEndian, protocol: 6, direction: 1), to: 1)
            try commit(stage.defaultDeny(.ingress))
            try fixture.send(from(family.peer, family.world).tcp(40000, 22, .syn), .fromNetwork).expectDrop(
                DROP_POLICY_DEFAULT_DENY, rule: 60)
            try fixture.send(from(family.peer, family.own).tcp(40000, 22, .syn), .fromNetwork).expectPass(
                rule: UInt32(RULE_FAILSAFE), state: .new)
        }

        @Test(arguments: Family.allCases) func `fragments follow their first one, and broken packets end`(
            family: Family
        ) throws {
            try commit(stage.allow(.ingress, .ports(.udp, 53), rule: 20).defaultDeny(.ingress))
            let allowed = from(family.peer, family.world).udp(40000, 53, payload: 56)
            try fixture.send(allowed.fragment(16..<64, last: true), .fromNetwork).expectDrop(DROP_FRAGMENT_UNTRACKED)
            try fixture.send(allowed.fragment(0..<16), .fromNetwork).expectPass(rule: 20, state: .new)
            try fixture.send(allowed.fragment(16..<64, last: true), .fromNetwork).expectPass(rule: 20, state: nil)
            try fixture.send(from(family.peer, family.world).transport(6, [0, 1]), .fromNetwork).expectDrop(
                DROP_TRUNCATED)
        }

        @Test(arguments: Family.allCases) func `an ICMP error passes if its flow does`(family: Family) throws {
            try commit(stage.allow(.ingress, .ports(.udp, 53), rule: 20).defaultDeny(.ingress).defaultDeny(.egress))
            let query = Packet.ip(family.peer, to: family.world).udp(40000, 53)
            let error = from(family.stranger, family.peer).error(family.unreachable, quoting: query)
            try fixture.send(error, .toNetwork, cameFrom: 4).expectDrop(DROP_ICMP_UNRELATED, rule: 60)
            try fixture.send(query.toUs(), .fromNetwork).expectPass(rule: 20, state: .new)
            try fixture.send(error, .toNetwork, cameFrom: 4).expectPass(rule: UInt32(RULE_RELATED), state: .related)
        }

        @Test(arguments: Family.allCases) func `in audit mode it passes and is reported`(family: Family) throws {
            try commit(stage.defaultDeny(.ingress))
            fixture.setFlags(CONFIG_AUDIT)
            let outcome = try fixture.send(from(family.peer, family.world).tcp(40000, 80, .syn), .fromNetwork)
            #expect(outcome.passed && outcome.events.map(\.verdict) == [.audit])
            #expect(outcome.event?.rule == 60 && outcome.event?.reason == .policyDefaultDeny)
        }
    }
}
