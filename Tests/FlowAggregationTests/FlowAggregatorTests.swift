// SPDX-License-Identifier: Apache-2.0

import EventModel
import FlowAggregation
import IdentityModel
import NetworkModel
import Testing

@Suite struct FlowAggregatorTests {
    private let web = IPAddress(v4: 0x0a01_0001)
    private let database = IPAddress(v4: 0x0a01_0002)

    private func event(_ index: Int = 0, verdict: Verdict = .allow, port: UInt16 = 443) -> FlowEvent {
        var event = FlowEvent(
            timestamp: UInt64(index), verdict: verdict, reason: verdict == .deny ? .policyDeny : .none,
            direction: .egress, state: .new, ipProtocol: .tcp, source: web, destination: database)
        event.endpoint = 1
        event.identity = NumericIdentity(rawValue: 256)
        event.peerIdentity = NumericIdentity(rawValue: 0x0100_0001)
        event.rule = 16
        event.sourcePort = 50000
        event.destinationPort = port
        return event
    }

    private func names() -> FlowNames {
        var names = FlowNames()
        let endpoints = [EndpointName(number: 1, name: "web"), EndpointName(number: 9, name: "db")]
        for endpoint in endpoints { names.setEndpoint(endpoint) }
        names.setAddresses([web: endpoints[0], database: endpoints[1]])
        let labels = LabelSet([Label(source: "k8s", key: "app", value: "web")])
        names.setIdentity(ResolvedIdentity(identity: NumericIdentity(rawValue: 256), labels: labels))
        names.setIdentity(
            ResolvedIdentity(
                identity: NumericIdentity(rawValue: 0x0100_0001), labels: LabelSet([]),
                prefix: CIDR(database, length: 24)))
        names.setRule(RuleName(slot: 16, text: "rule sixteen", source: nil))
        return names
    }

    @Test func `a flow carries the names of both sides, of the identities and of the rule`() throws {
        let aggregator = FlowAggregator(capacity: 4)
        aggregator.setNames(names())
        aggregator.consume([event()], wallClockOffset: 1000)
        let flow = try #require(aggregator.last(1).first)
        #expect(flow.endpoint?.name == "web" && flow.peer?.name == "db" && flow.rule?.text == "rule sixteen")
        #expect(flow.identity?.labels.labels.first?.key == "app" && flow.peerIdentity?.prefix?.length == 24)
        #expect(flow.sequence == 1 && flow.time == 1000)
    }

    @Test func `numbers without a name leave the name empty`() throws {
        let aggregator = FlowAggregator(capacity: 4)
        aggregator.consume([event()], wallClockOffset: 0)
        let flow = try #require(aggregator.last(1).first)
        #expect(flow.endpoint == nil && flow.peer == nil && flow.identity == nil && flow.rule == nil)
    }

    @Test func `a follower gets what it wants, and loses nothing else`() async {
        let aggregator = FlowAggregator(capacity: 4)
        aggregator.consume([event(1), event(2, verdict: .deny)], wallClockOffset: 0)
        let follower = aggregator.follow(last: 4, bufferSize: 2) { $0.event.verdict == .deny }
        aggregator.consume((3...9).map { event($0) } + [event(10, verdict: .deny)], wallClockOffset: 0)
        #expect(follower.lost == 0)
        aggregator.endAllFollowers()
        var found: [UInt64] = []
        for await flow in follower.flows { found.append(flow.sequence) }
        #expect(found == [2, 10])
    }

    @Test func `the ring keeps the newest flows in order`() {
        let aggregator = FlowAggregator(capacity: 3)
        aggregator.consume((1...5).map { event($0) }, wallClockOffset: 0)
        #expect(aggregator.last(10).map(\.sequence) == [3, 4, 5])
        #expect(aggregator.last(2).map(\.sequence) == [4, 5])
        #expect(aggregator.last(0).isEmpty)
        #expect(aggregator.counters.taken == 5 && aggregator.counters.held == 3)
    }

    @Test func `events are counted by verdict`() {
        let aggregator = FlowAggregator(capacity: 3)
        aggregator.consume([event(verdict: .deny), event(), event()], wallClockOffset: 0)
        aggregator.countUndecodable(2)
        let counters = aggregator.counters
        #expect(counters.events(.allow) == 2 && counters.events(.deny) == 1 && counters.undecodable == 2)
    }

    @Test func `a follower gets matching history first and then each new flow`() async {
        let aggregator = FlowAggregator(capacity: 8)
        aggregator.consume([event(verdict: .deny), event(), event(verdict: .deny)], wallClockOffset: 0)
        var filter = FlowFilter()
        filter.verdicts = [.deny]
        let follower = aggregator.follow(last: 1, matching: filter)
        aggregator.consume([event(), event(verdict: .deny)], wallClockOffset: 0)
        follower.cancel()
        var seen: [UInt64] = []
        for await flow in follower.flows { seen.append(flow.sequence) }
        #expect(seen == [3, 5])
        #expect(aggregator.counters.followers == 0)
    }

    @Test func `a slow follower loses flows and each loss is counted`() {
        let aggregator = FlowAggregator(capacity: 8)
        let follower = aggregator.follow(bufferSize: 2)
        aggregator.consume((0..<5).map { event($0) }, wallClockOffset: 0)
        #expect(follower.lost == 3)
        #expect(aggregator.counters.lostByFollowers == 3)
        follower.cancel()
    }
}
