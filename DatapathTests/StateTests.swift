// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import EventModel
import IdentityModel
import NetworkModel
import Testing

extension DatapathTests {
    /// Configuration, endpoint records, reports and losses.
    @Suite struct StateTests {
        private let fixture: Fixture

        init() throws { fixture = try Fixture.fresh() }

        /// Dropped and counted, but nobody is known whose event it would be.
        private func expectRefusal(
            _ reason: Int, _ outcome: Outcome, sourceLocation: SourceLocation = #_sourceLocation
        ) {
            #expect(outcome.action == 2 && outcome.events.isEmpty, sourceLocation: sourceLocation)
            let index = Int(METRIC_DROP) + reason * 2 + Int(outcome.hook.direction.rawValue)
            let count = Count(packets: 1, bytes: UInt64(outcome.length + 14))
            #expect(outcome.metrics == [index: count], sourceLocation: sourceLocation)
        }

        private func packet(_ family: Family, _ direction: Direction) -> Packet {
            direction == .egress
                ? Packet.ip(family.own, to: family.peer).udp(1, 2)
                : Packet.ip(family.peer, to: family.own).udp(1, 2)
        }

        @Test(arguments: PolicyTests.directions)
        func `a workload without a complete configuration is cut off: DROP_CONFIGURATION`(
            family: Family, direction: Direction
        ) throws {
            fixture.config.flags = UInt32(CONFIG_AUDIT)
            fixture.writeConfig()
            expectRefusal(DROP_CONFIGURATION, try fixture.send(packet(family, direction), Hook(direction)))
            fixture.setFlags()
            #expect(try fixture.send(packet(family, direction), Hook(direction)).passed)
        }

        @Test(arguments: PolicyTests.directions)
        func `a workload without a record is cut off: DROP_ENDPOINT_UNKNOWN`(
            family: Family, direction: Direction
        ) throws {
            for ifindex: UInt32 in [0, 65537] {
                try fixture.setEndpoint(ifindex: ifindex)
                expectRefusal(DROP_ENDPOINT_UNKNOWN, try fixture.send(packet(family, direction), Hook(direction)))
            }
        }

        @Test(arguments: Family.allCases) func `a record whose slot is taken is found in the overflow table`(
            family: Family
        ) throws {
            try fixture.setEndpoint(ifindex: 65537)
            let record = endpoint_entry(
                ifindex: 1, subject: UInt32(Fixture.subject), identity: 99, endpoint: 8, flags: 0)
            try fixture.maps.endpointOverflow.update(1, to: record)
            try fixture.maps.addresses.update(family.own.endpointKey(8), to: 1)
            let outcome = try fixture.send(packet(family, .egress))
            outcome.expectPass(state: .new)
            #expect(outcome.event?.endpoint == 8 && outcome.event?.identity.rawValue == 99)
        }

        @Test(arguments: Family.allCases) func `two endpoints never share a flow`(family: Family) throws {
            try fixture.commit(TestPolicy().defaultDeny(.ingress))
            try fixture.send(packet(family, .egress)).expectPass(state: .new)
            let record = endpoint_entry(
                ifindex: 1, subject: UInt32(Fixture.subject), identity: 99, endpoint: 8, flags: 0)
            try fixture.maps.endpoints.update(1, to: record)
            try fixture.maps.addresses.update(family.own.endpointKey(8), to: 1)
            let reply = Packet.ip(family.peer, to: family.own).udp(2, 1)
            try fixture.send(reply, .toEndpoint).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            try fixture.setEndpoint()
            try fixture.send(reply, .toEndpoint).expectPass(state: nil)
        }

        // MARK: - Reports

        @Test(arguments: Family.allCases) func `an established flow is reported once in an interval`(
            family: Family
        ) throws {
            fixture.setReportInterval(ticks: 1000)
            fixture.setTimeouts { _ in 1_000_000 }
            let talk = Talk.client(family)
            try fixture.establish(talk, openedBy: .egress)
            for _ in 0..<10 { try fixture.tcp(talk, .egress, .ack, payload: 10).expectPass(state: nil) }
            try fixture.age(byTicks: 1000)
            let report = try fixture.tcp(talk, .egress, .ack)
            report.expectPass(state: .established)
            #expect(report.event?.packets == 13, "SYN, ACK, ten segments and this one")
            let bytes = 13 * (family.headerLength + 20) + 100
            #expect(report.event?.bytes == UInt64(bytes))
            try fixture.tcp(talk, .ingress, .ack).expectPass(state: nil)
            try fixture.age(byTicks: 1000)
            let reply = try fixture.tcp(talk, .ingress, .ack)
            reply.expectPass(state: .reply)
            #expect(reply.event?.packets == 3)
        }

        @Test(arguments: Family.allCases) func `an interval of zero reports every packet`(family: Family) throws {
            fixture.setReportInterval(ticks: 0)
            let talk = Talk.server(family)
            try fixture.tcp(talk, .ingress, .syn).expectPass(state: .new)
            try fixture.tcp(talk, .egress, .synAck).expectPass(state: .reply)
            try fixture.tcp(talk, .ingress, .ack).expectPass(state: .established)
            try fixture.tcp(talk, .egress, .ack).expectPass(state: .reply)
        }

        @Test(arguments: Family.allCases) func `every dropped packet is reported, whatever the interval`(
            family: Family
        ) throws {
            try fixture.commit(TestPolicy().deny(.egress, .everything, rule: 21))
            for _ in 0..<5 { try fixture.send(packet(family, .egress)).expectDrop(DROP_POLICY_DENY, rule: 21) }
        }

        @Test(arguments: Family.allCases) func `events that find no room are counted, and verdicts stand`(
            family: Family
        ) throws {
            fixture.setReportInterval(ticks: 0)
            let bytes = packet(family, .egress).bytes
            try fixture.send(packet(family, .egress)).expectPass(state: .new)
            let before = try fixture.maps.metrics()
            let runs = 2000
            for _ in 0..<runs { #expect(try fixture.run(bytes, .fromEndpoint) == UInt32(bitPattern: -1)) }
            let after = try fixture.maps.metrics()
            let received = fixture.maps.drainEvents().count
            let count = { (index: Int) in
                (after[index]?.packets ?? 0) - (before[index]?.packets ?? 0)
            }
            #expect(count(METRIC_EVENT_LOST) > 0)
            #expect(Int(count(METRIC_EVENT_WRITTEN)) == received)
            #expect(Int(count(METRIC_EVENT_LOST)) + received == runs, "every event is received or counted as lost")
            fixture.forgetCounters()
            try fixture.send(packet(family, .egress)).expectPass(state: .established)
        }
    }
}
