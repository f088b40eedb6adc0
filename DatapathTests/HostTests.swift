// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import EventModel
import NetworkModel
import Testing

extension DatapathTests {
    /// The host as an endpoint: tc_from_network and tc_to_network.
    @Suite struct HostTests {
        private let fixture: Fixture
        private let closed = TestPolicy().defaultDeny(.ingress).defaultDeny(.egress)

        init() throws {
            fixture = try Fixture.fresh()
            try fixture.setEndpoint(flags: ENDPOINT_HOST)
        }

        private func expectUntouched(_ outcome: Outcome, sourceLocation: SourceLocation = #_sourceLocation) {
            #expect(outcome.passed, sourceLocation: sourceLocation)
            #expect(outcome.events.isEmpty && outcome.metrics.isEmpty, sourceLocation: sourceLocation)
            #expect(outcome.rules.isEmpty, sourceLocation: sourceLocation)
        }

        @Test(arguments: Family.allCases) func `the host's own traffic is judged like a workload's`(
            family: Family
        ) throws {
            try fixture.commit(closed.allow(.ingress, .ports(.udp, 53), rule: 20))
            let into = { (port: UInt16) in Packet.ip(family.peer, to: family.own).udp(40000, port) }
            try fixture.send(into(53), .fromNetwork).expectPass(rule: 20, state: .new)
            try fixture.send(Packet.ip(family.own, to: family.peer).udp(53, 40000), .toNetwork).expectPass(
                rule: 20, state: nil)
            try fixture.send(into(54), .fromNetwork).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            try fixture.send(Packet.ip(family.own, to: family.peer).tcp(40000, 25, .syn), .toNetwork).expectDrop(
                DROP_POLICY_DEFAULT_DENY, rule: 60)
        }

        @Test(arguments: Family.allCases) func `failsafe ports stay open whatever the policy says`(
            family: Family
        ) throws {
            try fixture.commit(closed)
            let entries: [(UInt16, Direction)] = [(22, .ingress), (6443, .egress)]
            for (port, direction) in entries {
                let key = failsafe_key(port: port.bigEndian, protocol: 6, direction: direction.rawValue)
                try fixture.maps.failsafe.update(key, to: 1)
            }
            let (ssh, server) = (Talk.server(family, port: 22), Talk.client(family, port: 6443))
            let rule = UInt32(RULE_FAILSAFE)
            try fixture.send(ssh.tcp(.ingress, .syn), .fromNetwork).expectPass(rule: rule, state: .new)
            try fixture.send(ssh.tcp(.egress, .synAck), .toNetwork).expectPass(rule: rule, state: nil)
            try fixture.send(server.tcp(.egress, .syn), .toNetwork).expectPass(rule: rule, state: .new)
            // A session that was there before is met in the middle.
            try fixture.forgetFlows()
            try fixture.send(ssh.tcp(.egress, .ack), .toNetwork).expectPass(rule: rule, state: .reply)
            // A policy change does not cut it.
            try fixture.commit(closed.deny(.ingress, .everything, rule: 21))
            try fixture.send(ssh.tcp(.ingress, .ack), .fromNetwork).expectPass(rule: rule, state: nil)
            // One direction and protocol only.
            try fixture.send(Talk.client(family, port: 22).tcp(.egress, .syn), .toNetwork).expectDrop(
                DROP_POLICY_DEFAULT_DENY, rule: 60)
            try fixture.send(ssh.udp(.ingress), .fromNetwork).expectDrop(DROP_POLICY_DENY, rule: 21)
            try fixture.send(Talk.server(family, port: 6443).tcp(.ingress, .syn), .fromNetwork).expectDrop(
                DROP_POLICY_DENY, rule: 21)
        }

        @Test(arguments: Family.allCases) func `failsafe ports are the host's alone`(family: Family) throws {
            try fixture.setEndpoint()
            try fixture.commit(closed)
            try fixture.maps.failsafe.update(failsafe_key(port: UInt16(22).bigEndian, protocol: 6, direction: 1), to: 1)
            try fixture.tcp(.server(family, port: 22), .ingress, .syn).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
        }

        @Test(arguments: Family.allCases) func `a flow's cause is failsafe once no rule allows it`(
            family: Family
        ) throws {
            try fixture.commit(TestPolicy().allow(.ingress, .everything, rule: 20))
            let ssh = Talk.server(family, port: 22)
            try fixture.send(ssh.tcp(.ingress, .syn), .fromNetwork).expectPass(rule: 20, state: .new)
            try fixture.maps.failsafe.update(failsafe_key(port: UInt16(22).bigEndian, protocol: 6, direction: 1), to: 1)
            try fixture.commit(closed)
            try fixture.send(ssh.tcp(.egress, .synAck), .toNetwork).expectPass(
                rule: UInt32(RULE_FAILSAFE), state: nil)
        }

        @Test(arguments: Family.allCases) func `what is forwarded for others is not judged`(family: Family) throws {
            try fixture.commit(closed)
            let others = Packet.ip(family.peer, to: family.stranger)
            for packet in [others.tcp(1, 2, .syn), others.udp(1, 2), others.echoRequest(1), others.gre()] {
                expectUntouched(try fixture.send(packet, .fromNetwork))
                expectUntouched(try fixture.send(packet, .toNetwork, cameFrom: 4))
                expectUntouched(try fixture.send(packet, .toNetwork))
            }
            #expect(try fixture.flows().isEmpty)
        }

        @Test(arguments: Family.allCases) func `fragments, errors and broken packets of others pass too`(
            family: Family
        ) throws {
            try fixture.commit(closed)
            let others = Packet.ip(family.peer, to: family.stranger)
            let datagram = others.udp(1, 2, payload: 56)
            let quoted = Packet.ip(family.stranger, to: family.peer).udp(2, 1)
            let packets = [
                datagram.fragment(0..<16), datagram.fragment(16..<64, last: true), others.tcp(1, 2, [.syn, .fin]),
                others.error(family.unreachable, quoting: quoted),
                others.error(family.unreachable, quoting: quoted, byteCount: 4),
                others.transport(family == .v4 ? 58 : 1, [0, 0, 0, 0]), others.transport(6, [0, 1]),
            ]
            for packet in packets {
                expectUntouched(try fixture.send(packet, .fromNetwork))
                expectUntouched(try fixture.send(packet, .toNetwork, cameFrom: 4))
            }
            let bridged = Packet.frame(etherType: 0x88cc, payload: [UInt8](repeating: 0, count: 50))
            expectUntouched(try fixture.send(bridged, .fromNetwork))
            expectUntouched(try fixture.send(datagram.vlan(1).vlan(2).vlan(3), .fromNetwork))
        }

        @Test(arguments: Family.allCases) func `broken packets to the host itself are dropped`(family: Family) throws {
            let own = Packet.ip(family.peer, to: family.own)
            try fixture.send(own.tcp(1, 2, [.syn, .fin]), .fromNetwork).expectDrop(DROP_TCP_FLAGS)
            try fixture.send(own.udp(1, 2, payload: 56).fragment(16..<64, last: true), .fromNetwork).expectDrop(
                DROP_FRAGMENT_UNTRACKED)
            try fixture.send(own.transport(family == .v4 ? 58 : 1, [0, 0, 0, 0]), .fromNetwork).expectDrop(
                DROP_PROTOCOL)
        }

        @Test(arguments: Family.allCases) func `what leaves for others under the host's address is tracked`(
            family: Family
        ) throws {
            try fixture.commit(closed)
            let talk = Talk.client(family)
            let rule = UInt32(RULE_FORWARDED)
            try fixture.send(talk.tcp(.egress, .syn), .toNetwork, cameFrom: 4).expectPass(rule: rule, state: .new)
            try fixture.send(talk.tcp(.ingress, .synAck), .fromNetwork).expectPass(rule: rule, state: nil)
            try fixture.commit(closed.deny(.egress, .everything, rule: 21))
            try fixture.send(talk.tcp(.ingress, .ack), .fromNetwork).expectPass(rule: rule, state: nil)
            // The same packet made on the host is judged.
            try fixture.forgetFlows()
            try fixture.send(talk.tcp(.egress, .syn), .toNetwork).expectDrop(DROP_POLICY_DENY, rule: 21)
        }

        @Test(arguments: Family.allCases) func `the host never fails closed for want of configuration`(
            family: Family
        ) throws {
            try fixture.commit(closed)
            let hooks: [(Hook, Packet)] = [
                (.fromNetwork, Packet.ip(family.peer, to: family.own).udp(1, 2)),
                (.toNetwork, Packet.ip(family.own, to: family.peer).udp(1, 2)),
            ]
            fixture.config.flags = 0
            fixture.writeConfig()
            for (hook, packet) in hooks { expectUntouched(try fixture.send(packet, hook)) }
            fixture.setFlags()
            try fixture.setEndpoint(ifindex: 0)
            for (hook, packet) in hooks { expectUntouched(try fixture.send(packet, hook)) }
        }

        @Test func `neighbours of the host are not checked`() throws {
            try fixture.commit(closed)
            let arp = Packet.arp(2, sender: Family.v4.peer, target: Family.v4.own)
            for hook in [Hook.fromNetwork, .toNetwork] {
                let outcome = try fixture.send(arp, hook)
                #expect(outcome.passed && outcome.count(METRIC_NOT_IP) == 1)
                let advertisement = Packet.ip(.linkLocal(1), to: Family.v6.allNodes).neighborDiscovery(134, target: nil)
                #expect(try fixture.send(advertisement, hook).passed)
            }
        }
    }
}
