// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import EventDecoding
import EventModel
import KernelDatapath
import NetworkModel
import Testing

extension DatapathTests {
    /// What `xdp_prefilter` and its brothers tell about drops.
    @Suite struct PrefilterEventTests {
        private func packet(_ source: String, to port: UInt16 = 443) throws -> Packet {
            let source = try #require(IPAddress(source))
            return Packet.ip(source, to: source.isIPv4 ? Family.v4.own : Family.v6.own).tcp(40000, port, .syn)
        }

        @Test(arguments: PrefilterFixture.Way.allCases.filter { $0 != .rawSkb })
        func `a drop is told with its reason, its feed and its packet`(way: PrefilterFixture.Way) throws {
            let fixture = try PrefilterFixture()
            try fixture.feeds(deny: ["198.51.100.0/24", "2001:db8:5::/48"])
            fixture.tables.grantEvents(10)
            for source in ["198.51.100.7", "2001:db8:5::7"] {
                #expect(try !fixture.send(packet(source).bytes, way).passed)
                let events = try fixture.events()
                let event = try #require(events.first)
                #expect(events.count == 1)
                #expect(event.verdict == .deny && event.reason == .shieldFeed && event.direction == .ingress)
                #expect(event.rule == FlowEvent.firstFeedRule + 1)
                #expect(Int(FlowEvent.firstFeedRule) == Int(PREFILTER_RULE_FIRST))
                #expect(event.source == IPAddress(source))
                #expect(event.sourcePort == 40000 && event.destinationPort == 443 && event.ipProtocol == .tcp)
                #expect(event.packets == 1 && event.bytes > 0)
                #expect(event.endpoint == 0)
            }
        }

        @Test func `what passes is not told, and in monitor mode a drop is an audit`() throws {
            let fixture = try PrefilterFixture { $0.mode = .monitor }
            try fixture.feeds(deny: ["198.51.100.0/24"])
            fixture.tables.grantEvents(10)
            try fixture.expectPass(packet("198.51.101.7"))
            #expect(try fixture.events().isEmpty)
            #expect(try fixture.send(packet("198.51.100.7").bytes).passed)
            #expect(try fixture.events().map(\.verdict) == [.audit])
        }

        @Test func `events are bounded for each reason, and one stands for what was not told before`() throws {
            let fixture = try PrefilterFixture()
            try fixture.feeds(deny: ["198.51.100.0/24"])
            try fixture.tables.block(CIDR(host: try #require(IPAddress("203.0.113.7"))), for: .seconds(60))
            fixture.tables.grantEvents(3)
            for _ in 0..<1000 { try fixture.sendQuietly(packet("198.51.100.7")) }
            // A test run may move from CPU to CPU, and each has its own credit.
            let cpus = UInt64(try possibleCPUCount())
            let first = try fixture.events()
            #expect(first.count >= 3 && UInt64(first.count) <= 3 * cpus, "\(first.count)")
            // A flood of one reason does not hide another.
            try fixture.sendQuietly(packet("203.0.113.7"))
            #expect(try fixture.events().map(\.reason) == [.shieldBlock])
            // Nobody renews: nobody is told.
            for _ in 0..<100 { try fixture.sendQuietly(packet("198.51.100.7")) }
            if first.count == 3 * Int(cpus) { #expect(try fixture.events().isEmpty) } else { _ = try fixture.events() }
            fixture.tables.grantEvents(1_000_000)
            for _ in 0..<400 { try fixture.sendQuietly(packet("198.51.100.7")) }
            let last = try fixture.events()
            #expect(last.contains { $0.packets > 1 }, "what was not told is in the next one")
            #expect(last.reduce(0) { $0 + UInt64($1.packets) } <= 1500)
        }

        @Test func `without an agent that reads, events are lost and counted, and drops go on`() throws {
            let fixture = try PrefilterFixture(ringBytes: 0)
            try fixture.feeds(deny: ["198.51.100.0/24"])
            fixture.tables.grantEvents(5)
            let result = try fixture.send(packet("198.51.100.7").bytes)
            #expect(!result.passed && result.moved[PREFILTER_EVENTS_LOST] == 1)
            #expect(result.moved[PREFILTER_EVENTS] == nil)
        }
    }
}
