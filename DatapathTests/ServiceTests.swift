// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import EventModel
import Glibc
import IdentityModel
import NetworkModel
import Testing

extension DatapathTests {
    /// Services of the host: cgroup_egress and cgroup_ingress, told by the user that a test run's socket is of (0).
    @Suite struct ServiceTests {
        private static let number: UInt16 = 9
        private let fixture: Fixture
        private let closed = TestPolicy().defaultDeny(.ingress).defaultDeny(.egress)

        init() throws {
            fixture = try Fixture.fresh()
            try fixture.setEndpoint(flags: ENDPOINT_HOST)
            try configure(namespace: Self.ownNamespace())
        }

        private static func ownNamespace() -> UInt32 {
            var info = stat()
            return unsafe stat("/proc/self/ns/net", &info) == 0 ? UInt32(truncatingIfNeeded: info.st_ino) : 0
        }

        private func configure(namespace: UInt32, user: UInt32 = 0) throws {
            var record = endpoint_entry()
            record.subject = UInt32(Fixture.subject)
            record.identity = UInt32(IDENTITY_HOST)
            record.endpoint = Self.number
            record.flags = UInt16(ENDPOINT_HOST)
            try fixture.maps.serviceUsers.update(user, to: record)
            var config = service_config()
            config.has_users = 1
            config.network_namespace = namespace
            try fixture.maps.serviceConfig.update(0, to: config)
        }

        private func expectUntouched(_ outcome: Outcome, sourceLocation: SourceLocation = #_sourceLocation) {
            #expect(outcome.passed, sourceLocation: sourceLocation)
            #expect(outcome.events.isEmpty && outcome.rules.isEmpty, sourceLocation: sourceLocation)
        }

        @Test(arguments: Family.allCases) func `a service is judged under its own number, replies by its flow`(
            family: Family
        ) throws {
            try fixture.commit(closed.allow(.egress, .ports(.tcp, 443), rule: 20))
            let talk = Talk.client(family, port: 443)
            let first = try fixture.send(talk.tcp(.egress, .syn), .fromSocket)
            first.expectPass(rule: 20, state: .new)
            #expect(first.event?.endpoint == Self.number && first.event?.identity.rawValue == UInt32(IDENTITY_HOST))
            try fixture.send(talk.tcp(.ingress, .synAck), .toSocket).expectPass(rule: 20, state: nil)
            try fixture.send(talk.tcp(.egress, .ack), .fromSocket).expectPass(rule: 20, state: nil)
            #expect(try fixture.flows().count == 1)
            let other = Talk.client(family, port: 80)
            try fixture.send(other.tcp(.egress, .syn), .fromSocket).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            try fixture.send(other.udp(.egress), .fromSocket).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            try fixture.send(Packet.ip(family.own, to: family.peer).echoRequest(1), .fromSocket).expectDrop(
                DROP_POLICY_DEFAULT_DENY, rule: 60)
            try fixture.send(Talk.server(family, port: 443).tcp(.ingress, .syn), .toSocket).expectDrop(
                DROP_POLICY_DEFAULT_DENY, rule: 60)
            // A revoked permission cuts the flow at its next packet.
            try fixture.commit(closed)
            try fixture.send(talk.tcp(.egress, .ack), .fromSocket).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
        }

        @Test(arguments: Family.allCases) func `its flows are left to it at the host's devices`(family: Family) throws {
            try fixture.commit(closed)
            let talk = Talk.client(family)
            let rule = UInt32(RULE_FORWARDED)
            try fixture.send(talk.tcp(.egress, .syn), .toNetwork).expectPass(rule: rule, state: .new)
            try fixture.send(talk.tcp(.ingress, .synAck), .fromNetwork).expectPass(rule: rule, state: nil)
            // What others of the host send is the host's.
            try KernelMaps.empty(fixture.maps.serviceUsers)
            try fixture.send(Talk.client(family, port: 444).tcp(.egress, .syn), .toNetwork).expectDrop(
                DROP_POLICY_DEFAULT_DENY, rule: 60)
        }

        @Test(arguments: Family.allCases) func `sockets of others, and in other namespaces, are not judged`(
            family: Family
        ) throws {
            try fixture.commit(closed)
            let packet = Talk.client(family).tcp(.egress, .syn)
            try configure(namespace: 1)
            expectUntouched(try fixture.send(packet, .fromSocket))
            try KernelMaps.empty(fixture.maps.serviceUsers)
            try configure(namespace: Self.ownNamespace(), user: 4711)
            expectUntouched(try fixture.send(packet, .fromSocket))
            expectUntouched(try fixture.send(Talk.server(family).tcp(.ingress, .syn), .toSocket))
        }

        @Test(arguments: Family.allCases) func `what is behind loopback is the host, and no service is it alone`(
            family: Family
        ) throws {
            let loopback = family == .v4 ? IPAddress(v4: 0x7f00_0035) : IPAddress(high: 0, low: 1)
            let packet = Packet.ip(loopback, to: loopback).tcp(40000, 53, .syn)
            try fixture.commit(closed)
            try fixture.send(packet, .fromSocket).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            try fixture.commit(closed.allow(.egress, .everything, peer: .host, rule: 20))
            try fixture.send(packet, .fromSocket).expectPass(rule: 20, state: .new)
            try fixture.send(Talk.client(family).tcp(.egress, .syn), .fromSocket).expectDrop(
                DROP_POLICY_DEFAULT_DENY, rule: 60)
        }

        @Test(arguments: Family.allCases) func `failsafe ports hold for services, and the host never fails closed`(
            family: Family
        ) throws {
            try fixture.commit(closed)
            let talk = Talk.client(family, port: 53)
            try fixture.maps.failsafe.update(failsafe_key(port: UInt16(53).bigEndian, protocol: 6, direction: 0), to: 1)
            try fixture.send(talk.tcp(.egress, .syn), .fromSocket).expectPass(rule: UInt32(RULE_FAILSAFE), state: .new)
            fixture.config.flags = 0
            fixture.writeConfig()
            expectUntouched(try fixture.send(Talk.client(family, port: 80).tcp(.egress, .syn), .fromSocket))
        }

        @Test(arguments: Family.allCases)
        func `a default deny leaves connections that are listed, a deny rule does not`(
            family: Family
        ) throws {
            try KernelMaps.empty(fixture.maps.serviceUsers)
            try fixture.commit(closed)
            let talk = Talk.server(family, port: 8080)
            let sample = talk.tcp(.ingress, .ack)
            try fixture.send(sample, .fromNetwork).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            var key = conntrack_key()
            key.local = family.own.kernelAddress
            key.remote = family.peer.kernelAddress
            (key.local_port, key.remote_port) = (talk.localPort.bigEndian, talk.remotePort.bigEndian)
            key.protocol = 6
            try fixture.maps.kept.update(key, to: 1)
            let rule = UInt32(RULE_KEPT)
            try fixture.send(sample, .fromNetwork).expectPass(rule: rule, state: .new)
            try fixture.send(talk.tcp(.egress, .ack), .toNetwork).expectPass(rule: rule, state: nil)
            // Judged again, and still kept; a new connection with the same ports is not.
            try fixture.commit(closed.allow(.ingress, .ports(.tcp, 1), rule: 21))
            try fixture.send(sample, .fromNetwork).expectPass(rule: rule, state: nil)
            try fixture.forgetFlows()
            try fixture.send(talk.tcp(.ingress, .syn), .fromNetwork).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            try fixture.send(sample, .fromNetwork).expectPass(rule: rule, state: .new)
            try fixture.commit(closed.deny(.ingress, .everything, rule: 22))
            try fixture.send(sample, .fromNetwork).expectDrop(DROP_POLICY_DENY, rule: 22)
        }
    }
}
