// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import EventModel
import NetworkModel
import PolicyCompiler
import Testing

extension DatapathTests {
    /// Policies without flows, ahead of the flow table: tc_untracked_in, tc_untracked_out, and tc_from_network_rest behind
    /// the former.
    @Suite struct UntrackedTests {
        private let fixture: Fixture
        /// Of the stage; what passes through has the one after it, the host its own.
        private static let subject: UInt16 = 10
        private let stage = TestPolicy(subject: UntrackedTests.subject)
        private let hostOpen = TestPolicy()
        private let hostClosed = TestPolicy().defaultDeny(.ingress).defaultDeny(.egress)

        init() throws {
            fixture = try Fixture.fresh()
            try fixture.setEndpoint(flags: ENDPOINT_HOST)
        }

        private func commit(_ stage: TestPolicy, host: TestPolicy? = nil, forward: TestPolicy? = nil) throws {
            var state = stage.mapState
            for other in [host ?? hostClosed, forward].compactMap({ $0?.mapState }) {
                state.policy.merge(other.policy) { $1 }
                state.subjects.merge(other.subjects) { $1 }
            }
            state.ipcache = Fixture.mappings
            fixture.config.untracked_subject = UInt32(UntrackedTests.subject)
            fixture.config.forward_subject = forward == nil ? 0 : UInt32(UntrackedTests.subject + 1)
            try fixture.commit(state)
        }

        private func from(_ source: IPAddress, _ destination: IPAddress) -> Packet {
            Packet.ip(source, to: destination).toUs()
        }

        @Test(arguments: Family.allCases) func `what is allowed passes without a flow, whatever the host's policy says`(
            family: Family
        ) throws {
            try commit(stage.allow(.ingress, .ports(.tcp, 80), peer: Fixture.peerIdentity, rule: 20))
            let first = try fixture.send(from(family.peer, family.own).tcp(40000, 80, .syn), .fromNetwork)
            first.expectPass(rule: 20, state: .untracked)
            #expect(first.event?.endpoint == Fixture.endpoint && first.event?.peerIdentity == Fixture.peerIdentity)
            // Reported once in a while, counted always.
            for _ in 0..<3 {
                try fixture.send(from(family.peer, family.own).tcp(40000, 80, .ack), .fromNetwork).expectPass(
                    rule: 20, state: nil)
            }
            #expect(try fixture.flows().isEmpty)
            // Its answer is nobody's reply.
            try fixture.send(from(family.own, family.peer).tcp(80, 40000, .synAck), .toNetwork).expectDrop(
                DROP_POLICY_DEFAULT_DENY, rule: 60)
            // What no rule is about goes on.
            try fixture.send(from(family.peer, family.own).tcp(40000, 81, .syn), .fromNetwork).expectDrop(
                DROP_POLICY_DEFAULT_DENY, rule: 60)
            try fixture.send(from(family.stranger, family.own).tcp(40000, 80, .syn), .fromNetwork).expectDrop(
                DROP_POLICY_DEFAULT_DENY, rule: 60)
        }

        @Test(arguments: Family.allCases) func `with a rule for each direction a connection leaves no trace`(
            family: Family
        ) throws {
            try commit(
                stage.allow(.ingress, .ports(.tcp, 80), rule: 20).allow(
                    .egress, .everything, peer: Fixture.peerIdentity, rule: 21))
            try fixture.send(from(family.peer, family.own).tcp(40000, 80, .syn), .fromNetwork).expectPass(
                rule: 20, state: .untracked)
            try fixture.send(from(family.own, family.peer).tcp(80, 40000, .synAck), .toNetwork).expectPass(
                rule: 21, state: .untracked)
            try fixture.send(from(family.peer, family.own).tcp(40000, 80, .ack), .fromNetwork).expectPass(
                rule: 20, state: nil)
            #expect(try fixture.flows().isEmpty)
        }

        @Test(arguments: Family.allCases) func `a deny cuts running connections, both ways`(family: Family) throws {
            let open = hostOpen.allow(.ingress, .ports(.tcp, 80), rule: 30).defaultDeny(.ingress)
            try commit(stage, host: open)
            let into = from(family.peer, family.own), back = from(family.own, family.peer)
            try fixture.send(into.tcp(40000, 80, .syn), .fromNetwork).expectPass(rule: 30, state: .new)
            try fixture.send(back.tcp(80, 40000, .synAck), .toNetwork).expectPass(rule: 30, state: nil)
            try commit(stage.deny(.ingress, .ports(.tcp, 80), rule: 20), host: open)
            try fixture.send(into.tcp(40000, 80, .ack), .fromNetwork).expectDrop(DROP_POLICY_DENY, rule: 20)
            try fixture.send(back.tcp(80, 40000, .ack), .toNetwork).expectPass(rule: 30, state: nil)
            try commit(stage.deny(.egress, .everything, rule: 21), host: open)
            try fixture.send(into.tcp(40000, 80, .ack), .fromNetwork).expectPass(rule: 30, state: nil)
            try fixture.send(back.tcp(80, 40000, .ack), .toNetwork).expectDrop(DROP_POLICY_DENY, rule: 21)
        }

        @Test(arguments: Family.allCases) func `what passes through is judged at each device, ahead of its stage`(
            family: Family
        ) throws {
            let forward = TestPolicy(subject: UntrackedTests.subject + 1).defaultDeny(.ingress).defaultDeny(.egress)
            try commit(
                stage.allow(.ingress, .ports(.tcp, 80), rule: 20).deny(.egress, .ports(.tcp, 80), rule: 21),
                forward: forward)
            let packet = from(family.peer, family.world)
            try fixture.send(packet.tcp(40000, 80, .syn), .fromNetwork).expectPass(rule: 20, state: .untracked)
            try fixture.send(packet.tcp(40000, 80, .syn), .toNetwork, cameFrom: 4).expectDrop(
                DROP_POLICY_DENY, rule: 21)
            try fixture.send(packet.tcp(40000, 81, .syn), .fromNetwork).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            try fixture.send(packet.tcp(40000, 81, .syn), .toNetwork, cameFrom: 4).expectDrop(
                DROP_POLICY_DEFAULT_DENY, rule: 60)
            #expect(try fixture.flows().isEmpty)
            // Without policies on forward it goes on untouched.
            try commit(stage.deny(.egress, .ports(.tcp, 80), rule: 21))
            for outcome in [
                try fixture.send(packet.tcp(40000, 81, .syn), .fromNetwork),
                try fixture.send(packet.tcp(40000, 81, .syn), .toNetwork, cameFrom: 4),
            ] {
                #expect(outcome.passed && outcome.events.isEmpty && outcome.rules.isEmpty)
            }
        }

        @Test(arguments: Family.allCases) func `bridged frames, groups and neighbour discovery are left alone`(
            family: Family
        ) throws {
            try commit(
                stage.deny(.ingress, .everything, rule: 20).deny(.egress, .everything, rule: 21), host: hostOpen)
            let bridged = Packet.ip(family.peer, to: family.stranger).tcp(40000, 80, .syn)
            for outcome in [
                try fixture.send(bridged, .fromNetwork), try fixture.send(bridged, .toNetwork, cameFrom: 4),
            ] {
                #expect(outcome.passed && outcome.events.isEmpty && outcome.rules.isEmpty)
            }
            let solicitation = Packet.ip(Family.v6.peer, to: Family.v6.own).toUs().hopLimit(255).neighborDiscovery(
                135, target: Family.v6.own)
            #expect(try fixture.send(solicitation, .fromNetwork).passed)
            let arp = Packet.arp(1, sender: Family.v4.peer, target: Family.v4.own)
            #expect(try fixture.send(arp, .fromNetwork).passed)
        }

        @Test(arguments: Family.allCases) func `failsafe ports stay open both ways`(family: Family) throws {
            try fixture.maps.failsafe.update(failsafe_key(port: UInt16(22).bigEndian, protocol: 6, direction: 1), to: 1)
            try fixture.maps.failsafe.update(
                failsafe_key(port: UInt16(53).bigEndian, protocol: 17, direction: 0), to: 1)
            try commit(stage.deny(.ingress, .everything, rule: 20).deny(.egress, .everything, rule: 21))
            let into = from(family.peer, family.own), back = from(family.own, family.peer)
            let failsafe = UInt32(RULE_FAILSAFE)
            try fixture.send(into.tcp(40000, 22, .syn), .fromNetwork).expectPass(rule: failsafe, state: .new)
            try fixture.send(back.tcp(22, 40000, .synAck), .toNetwork).expectPass(rule: failsafe, state: nil)
            try fixture.send(back.udp(40000, 53), .toNetwork).expectPass(rule: failsafe, state: .new)
            try fixture.send(into.udp(53, 40000), .fromNetwork).expectPass(rule: failsafe, state: nil)
            try fixture.send(into.tcp(40000, 23, .syn), .fromNetwork).expectDrop(DROP_POLICY_DENY, rule: 20)
        }

        @Test(arguments: Family.allCases) func `ICMP is judged by the type it has`(family: Family) throws {
            try commit(stage.allow(.ingress, .icmp(family.icmp, family.echoRequest), rule: 20))
            try fixture.send(from(family.peer, family.own).echoRequest(7), .fromNetwork).expectPass(
                rule: 20, state: .untracked)
            try commit(stage.deny(.egress, .icmp(family.icmp, family.echoReply), rule: 21), host: hostOpen)
            try fixture.send(from(family.own, family.peer).echoReply(7), .toNetwork).expectDrop(
                DROP_POLICY_DENY, rule: 21)
            try fixture.send(from(family.own, family.peer).echoRequest(7), .toNetwork).expectPass(
                rule: 0, state: .new)
        }

        @Test(arguments: Family.allCases) func `fragments follow their first one`(family: Family) throws {
            try commit(stage.allow(.ingress, .ports(.udp, 53), rule: 20).deny(.ingress, .ports(.udp, 54), rule: 21))
            let allowed = from(family.peer, family.own).udp(40000, 53, payload: 56)
            try fixture.send(allowed.fragment(16..<64, last: true), .fromNetwork).expectDrop(DROP_FRAGMENT_UNTRACKED)
            try fixture.send(allowed.fragment(0..<16), .fromNetwork).expectPass(rule: 20, state: .untracked)
            try fixture.send(allowed.fragment(16..<64, last: true), .fromNetwork).expectPass(rule: 20, state: nil)
            #expect(try fixture.flows().isEmpty)
        }

        @Test(arguments: Family.allCases) func `in audit mode a denied packet goes on and is reported now and then`(
            family: Family
        ) throws {
            try commit(stage.deny(.ingress, .ports(.tcp, 80), rule: 20), host: hostOpen)
            fixture.setFlags(CONFIG_AUDIT)
            let into = from(family.peer, family.own)
            let first = try fixture.send(into.tcp(40000, 80, .syn), .fromNetwork)
            #expect(first.passed && first.events.map(\.verdict) == [.audit, .allow])
            #expect(first.event?.rule == 20 && first.event?.reason == .policyDeny)
            #expect(first.count(Int(METRIC_AUDITED)) == 1)
            let second = try fixture.send(into.tcp(40001, 80, .syn), .fromNetwork)
            #expect(second.passed && second.events.map(\.verdict) == [.allow])
            #expect(second.count(Int(METRIC_AUDITED)) == 1)
        }
    }
}
