// SPDX-License-Identifier: Apache-2.0
import CDatapathABI
import EventModel
import IdentityModel
import NetworkModel
import PolicyCompiler
import Testing

extension DatapathTests {
    /// What the kernel makes of the policy tables.
    @Suite struct PolicyTests {
        private let fixture: Fixture

        init() throws { fixture = try Fixture.fresh() }

        /// Both directions of both families.
        static let directions = Family.allCases.flatMap { family in Direction.allCases.map { (family, $0) } }

        /// The first packet of a new UDP flow whose policed port is `port`.
        private func udp(
            _ family: Family, _ direction: Direction, _ port: UInt16, peer: IPAddress? = nil
        ) throws -> Outcome {
            try fixture.forgetFlows()
            let remote = peer ?? family.peer
            let packet =
                direction == .egress
                ? Packet.ip(family.own, to: remote).udp(40000, port)
                : Packet.ip(remote, to: family.own).udp(40000, port)
            return try fixture.send(packet, Hook(direction))
        }

        @Test(arguments: directions) func `without policy everything passes on nobody's account`(
            family: Family, direction: Direction
        ) throws {
            try udp(family, direction, 53).expectPass(rule: UInt32(RULE_NONE), state: .new)
        }

        @Test(arguments: directions)
        func `default deny closes its direction only and names its cause: DROP_POLICY_DEFAULT_DENY`(
            family: Family, direction: Direction
        ) throws {
            try fixture.commit(TestPolicy().defaultDeny(direction, rule: 33))
            let dropped = try udp(family, direction, 53)
            dropped.expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 33)
            #expect(dropped.event?.peerIdentity == Fixture.peerIdentity && dropped.event?.state == .untracked)
            #expect(dropped.event?.generation == Fixture.initialGeneration)
            #expect(try fixture.flows().isEmpty, "what was refused leaves no trace")
            try udp(family, direction.opposite, 53).expectPass(state: .new)
        }

        @Test(arguments: directions) func `deny beats allow, whichever is more specific: DROP_POLICY_DENY`(
            family: Family, direction: Direction
        ) throws {
            let peer = Fixture.peerIdentity
            let policies = [
                TestPolicy().allow(direction, .ports(.udp, 53), peer: peer, rule: 20)
                    .deny(direction, .everything, rule: 21),
                TestPolicy().allow(direction, .everything, rule: 20)
                    .deny(direction, .ports(.udp, 53), peer: peer, rule: 21),
                TestPolicy().allow(direction, .all(.udp), peer: peer, rule: 20)
                    .deny(direction, .ports(.udp, 48, bits: 12), rule: 21),
            ]
            for policy in policies {
                try fixture.commit(policy)
                try udp(family, direction, 53).expectDrop(DROP_POLICY_DENY, rule: 21)
            }
        }

        @Test(arguments: directions) func `a more important tier beats a deny of a lesser one`(
            family: Family, direction: Direction
        ) throws {
            try fixture.commit(
                TestPolicy().allow(direction, .everything, rule: 20, priority: 5)
                    .deny(direction, .ports(.udp, 53), peer: Fixture.peerIdentity, rule: 21, priority: 6))
            try udp(family, direction, 53).expectPass(rule: 20, state: .new)
        }

        @Test(arguments: directions) func `peer, protocol and port may each be a wildcard`(
            family: Family, direction: Direction
        ) throws {
            let peer = Fixture.peerIdentity
            let entries: [(TestPolicy.Ports, NumericIdentity)] = [
                (.everything, .any), (.everything, peer), (.all(.udp), .any), (.all(.udp), peer),
                (.ports(.udp, 53), .any), (.ports(.udp, 53), peer),
            ]
            for (index, entry) in entries.enumerated() {
                let rule = UInt32(20 + index)
                try fixture.commit(
                    TestPolicy().defaultDeny(direction).allow(direction, entry.0, peer: entry.1, rule: rule))
                try udp(family, direction, 53).expectPass(rule: rule, state: .new)
                // What the entry does not cover stays closed.
                let isAnyPeer = entry.1 == .any
                let stranger = try udp(family, direction, 53, peer: family.stranger)
                if isAnyPeer {
                    stranger.expectPass(rule: rule, state: .new)
                } else {
                    stranger.expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
                }
                let isAnyPort = index < 4
                let otherPort = try udp(family, direction, 54)
                if isAnyPort {
                    otherPort.expectPass(rule: rule, state: .new)
                } else {
                    otherPort.expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
                }
                try fixture.forgetFlows()
                let gre =
                    direction == .egress
                    ? Packet.ip(family.own, to: family.peer).gre() : Packet.ip(family.peer, to: family.own).gre()
                let otherProtocol = try fixture.send(gre, Hook(direction))
                if index < 2 {
                    otherProtocol.expectPass(rule: rule, state: .new)
                } else {
                    otherProtocol.expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
                }
            }
        }

        @Test(arguments: directions) func `the world is whoever has no prefix of its own`(
            family: Family, direction: Direction
        ) throws {
            try fixture.commit(
                TestPolicy().defaultDeny(direction).allow(direction, .everything, peer: .world, rule: 22))
            let outcome = try udp(family, direction, 53, peer: family.world)
            outcome.expectPass(rule: 22, state: .new)
            #expect(outcome.event?.peerIdentity == .world)
            try udp(family, direction, 53).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
        }

        @Test(arguments: Family.allCases) func `a range of ports holds exactly the ports of its prefix`(
            family: Family
        ) throws {
            for bits in UInt8(1)...16 {
                let width = 1 << (16 - Int(bits))
                let first = 0x5a5a & ~(width - 1)
                try fixture.commit(
                    TestPolicy().defaultDeny(.ingress)
                        .allow(.ingress, .ports(.udp, UInt16(first), bits: bits), rule: 20))
                for port in [first, first + width - 1] {
                    try udp(family, .ingress, UInt16(port)).expectPass(rule: 20, state: .new)
                }
                for port in [first - 1, first + width] where (0...65535).contains(port) {
                    try udp(family, .ingress, UInt16(port)).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
                }
            }
        }

        @Test(arguments: directions) func `the policed port is the server's, not the client's`(
            family: Family, direction: Direction
        ) throws {
            try fixture.commit(TestPolicy().defaultDeny(direction).allow(direction, .ports(.udp, 40000), rule: 20))
            try udp(family, direction, 53).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
        }

        @Test(arguments: Family.allCases) func `a protocol's ports say nothing about another's`(
            family: Family
        ) throws {
            try fixture.commit(TestPolicy().defaultDeny(.ingress).allow(.ingress, .ports(.tcp, 53), rule: 20))
            try udp(family, .ingress, 53).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            try fixture.tcp(.server(family, port: 53), .ingress, .syn).expectPass(rule: 20, state: .new)
            try fixture.sctp(.server(family, port: 53), .ingress, .initiate).expectDrop(
                DROP_POLICY_DEFAULT_DENY, rule: 60)
        }

        @Test(arguments: directions) func `ICMP is judged by its type`(family: Family, direction: Direction) throws {
            try fixture.commit(
                TestPolicy().defaultDeny(direction)
                    .allow(direction, .icmp(family.icmp, family.echoRequest), rule: 20))
            let talk = Talk.client(family)
            try fixture.send(talk.echoRequest(direction), Hook(direction)).expectPass(rule: 20, state: .new)
            let other =
                direction == .egress
                ? Packet.ip(family.own, to: family.peer)
                : Packet.ip(family.peer, to: family.own)
            try fixture.send(other.icmp(family.otherICMP), Hook(direction)).expectDrop(
                DROP_POLICY_DEFAULT_DENY, rule: 60)
            // A reply that is met first is judged by the type of the request it answers.
            try fixture.forgetFlows()
            try fixture.send(talk.echoReply(direction.opposite), Hook(direction.opposite)).expectPass(
                rule: 20, state: .reply)
        }

        @Test(arguments: Family.allCases) func `only the prefix lengths that the subject uses are probed`(
            family: Family
        ) throws {
            var state = TestPolicy().defaultDeny(.ingress).allow(.ingress, .ports(.udp, 53), rule: 20)
                .allow(.ingress, .everything, peer: Fixture.peerIdentity, rule: 21).mapState
            state.ipcache = Fixture.mappings
            state.subjects[Fixture.subject]?.probeMask[1] = [0, 0]
            try fixture.commit(state)
            try udp(family, .ingress, 53).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            state.subjects[Fixture.subject]?.probeMask[1] = [0, 1 << 16]
            try fixture.commit(state)
            try udp(family, .ingress, 53).expectPass(rule: 20, state: .new)
            state.subjects[Fixture.subject]?.probeMask[1] = [1 << UInt32(PROBE_ALL_PROTOCOLS), 0]
            try fixture.commit(state)
            try udp(family, .ingress, 53).expectPass(rule: 21, state: .new)
        }

        @Test(arguments: Family.allCases) func `another subject's entries do not count`(family: Family) throws {
            var state = TestPolicy(subject: Fixture.subject + 1).allow(.ingress, .everything, rule: 20).mapState
            let own = TestPolicy().defaultDeny(.ingress).allow(.ingress, .ports(.tcp, 1), rule: 21).mapState
            state.subjects.merge(own.subjects) { $1 }
            state.policy.merge(own.policy) { $1 }
            state.subjects[Fixture.subject]?.probeMask[1][1] |= 1 << UInt32(PROBE_ALL_PROTOCOLS)
            try fixture.commit(state)
            try udp(family, .ingress, 53).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
        }

        @Test(arguments: Family.allCases) func `an entry that passes leads out of a closed tier`(family: Family) throws
        {
            var state = TestPolicy().defaultDeny(.ingress).allow(.ingress, .ports(.udp, 53), rule: 20).mapState
            for key in state.policy.keys { state.policy[key]?.enforced.precedence = 0xff_ff00 | 1 }
            for key in state.policy.keys { state.policy[key]?.all.precedence = 0xff_ff00 | 1 }
            try fixture.commit(state)
            try udp(family, .ingress, 53).expectPass(rule: UInt32(RULE_NONE), state: .new)
            try udp(family, .ingress, 54).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
        }

        @Test(arguments: Family.allCases) func `an endpoint always reaches itself, and only itself`(
            family: Family
        ) throws {
            try fixture.commit(TestPolicy().defaultDeny(.ingress).defaultDeny(.egress))
            let packets = [
                Packet.ip(family.own, to: family.own).udp(40000, 53),
                Packet.ip(family.own, to: family.own).tcp(40000, 80, .syn),
                Packet.ip(family.own, to: family.own).echoRequest(4),
            ]
            for packet in packets {
                // From outside under the endpoint's own address: forged, unless the endpoint sent it.
                try fixture.send(packet, .toEndpoint).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
                try fixture.send(packet).expectPass(rule: UInt32(RULE_SELF), state: .new)
                try fixture.send(packet, .toEndpoint).expectPass(rule: UInt32(RULE_SELF), state: .new)
            }
        }

        @Test(arguments: Family.allCases) func `a damaged table closes the endpoint: DROP_POLICY_TABLE`(
            family: Family
        ) throws {
            try fixture.commit(TestPolicy().allow(.ingress, .ports(.udp, 53), rule: 20))
            // A bucket count beyond the table: its heads cannot be read.
            fixture.config.policy_bucket_mask = (~0, ~0)
            fixture.writeConfig()
            var dropped = 0
            for port: UInt16 in 1...64 where try udp(family, .ingress, port).event?.reason == .policyTable {
                dropped += 1
            }
            #expect(dropped > 56, "nearly every key falls into a bucket that is not there")
            let port = try #require(try (1...64).first { try udp(family, .ingress, $0).event?.reason == .policyTable })
            try udp(family, .ingress, port).expectDrop(DROP_POLICY_TABLE)
            try fixture.setEndpoint(flags: ENDPOINT_HOST)
            try fixture.forgetFlows()
            let packet = Packet.ip(family.peer, to: family.own).udp(40000, port)
            try fixture.send(packet, .fromNetwork).expectPass(state: .new)
        }

        @Test(arguments: Family.allCases) func `a chain that never ends is given up: DROP_POLICY_TABLE`(
            family: Family
        ) throws {
            try fixture.commit(TestPolicy().allow(.ingress, .ports(.udp, 53), rule: 20))
            try fixture.closeChainsIntoRings()
            fixture.config.policy_bucket_mask = (0, 0)
            fixture.writeConfig()
            try udp(family, .ingress, 54).expectDrop(DROP_POLICY_TABLE)
        }

        @Test(arguments: directions) func `rules count packets and bytes of their direction, each packet once`(
            family: Family, direction: Direction
        ) throws {
            try fixture.commit(TestPolicy().defaultDeny(direction).allow(direction, .ports(.udp, 53), rule: 20))
            let talk = Talk(
                family: family, local: family.own, remote: family.peer,
                localPort: direction == .egress ? 40000 : 53, remotePort: direction == .egress ? 53 : 40000)
            try fixture.udp(talk, direction).expectPass(rule: 20, state: .new)
            for _ in 0..<5 { try fixture.udp(talk, direction).expectPass(rule: 20, state: nil) }
            // Replies count for the rule that allowed the flow, in the direction they travel.
            for _ in 0..<3 { try fixture.udp(talk, direction.opposite).expectPass(rule: 20, state: nil) }
        }
    }
}
