// SPDX-License-Identifier: Apache-2.0

import EventModel
import FlowAggregation
import IdentityModel
import NetworkModel
import Testing

@testable import AgentCore

/// Which denials pods are told of.
@Suite struct DenialTallyTests {
    private var tally = DenialTally()

    private static let client = IPAddress(v4: 0x0a01_0002)

    private static let names: FlowNames = {
        var names = FlowNames()
        for number in UInt16(1)...40 {
            names.setEndpoint(EndpointName(number: number, name: "shop/p\(number)"))
        }
        names.setRemote(key: "kubernetes/lab/client", addresses: [client])
        return names
    }()

    private func flow(
        _ port: UInt16 = 80, pod: UInt16 = 1, from peer: IPAddress = client, packets: UInt32 = 1,
        verdict: Verdict = .deny, to destination: IPAddress = IPAddress(v4: 0x0a01_0001)
    ) -> Flow {
        var event = FlowEvent(
            timestamp: 0, verdict: verdict, reason: .policyDefaultDeny, direction: .ingress, state: .new,
            ipProtocol: .tcp, source: peer, destination: destination)
        event.endpoint = pod
        event.destinationPort = port
        event.packets = packets
        return Flow(event, sequence: 1, time: 1, names: Self.names)
    }

    private mutating func due(_ seconds: Int, nodes: Int = 1) -> [DenialTally.Notice] {
        tally.due(nodes: nodes, now: .seconds(seconds))
    }

    @Test mutating func `one is told at once, and a thousand more in five minutes`() {
        tally.take(flow())
        let first = due(0)
        #expect(first.map(\.count) == [1])
        #expect(first.first?.text == "denied: ingress tcp/80 from lab/client (10.1.0.2): policy-default-deny")
        for _ in 0..<1000 { tally.take(flow()) }
        for second in 1..<300 { #expect(due(second).isEmpty) }
        let second = due(300)
        #expect(second.map(\.count) == [1001] && second.map(\.news) == [1000] && tally.untold == 0)
        #expect(second.first?.eventName(uid: "u") == first.first?.eventName(uid: "u"), "the same Event, counted on")
        #expect(second.first?.eventName(uid: "v") != first.first?.eventName(uid: "u"))
    }

    @Test mutating func `of several kinds that of which there is most is told, and the others are counted`() {
        tally.take(flow(80, packets: 3))
        tally.take(flow(81, packets: 5))
        tally.take(flow(80, from: IPAddress(v4: 0xc000_0201)))
        let notices = due(0)
        #expect(notices.map(\.kind.port) == [81] && notices.map(\.count) == [5] && tally.untold == 4)
        tally.fail(notices[0])
        #expect(tally.untold == 9)
    }

    @Test mutating func `many pods are told of a few at a time, in large clusters fewer`() {
        for pod in UInt16(1)...40 { tally.take(flow(pod: pod)) }
        #expect(due(0).count == 10)
        #expect(due(9).isEmpty)
        #expect(due(10).count == 1)
        #expect(due(100).count == 9)
        #expect(due(150, nodes: 5000).isEmpty)
        #expect(due(205, nodes: 5000).count == 1)
        #expect(tally.untold == 0, "they wait")
    }

    @Test mutating func `every packet is told or counted, whatever comes`() {
        var random = SystemRandomNumberGenerator()
        var packets: UInt64 = 0
        var told: UInt64 = 0
        for second in 0..<3000 {
            for _ in 0..<Int.random(in: 0..<20, using: &random) {
                let count = UInt32.random(in: 1...3, using: &random)
                let pod = UInt16.random(in: 1...50, using: &random)
                tally.take(flow(UInt16.random(in: 1...60, using: &random), pod: pod, packets: count))
                packets += UInt64(count)
            }
            for notice in due(second) { told += notice.news }
        }
        tally.countUntold(7)
        for second in stride(from: 3000, to: 9000, by: 10) { for notice in due(second) { told += notice.news } }
        #expect(told > 0 && told + tally.untold == packets + 7)
    }

    @Test mutating func `who is no pod uses nothing up`() {
        for pod in UInt16(1)...20 { tally.take(flow(pod: pod)) }
        let notices = tally.due(nodes: 1, now: .seconds(0)) { $0 == "shop/p7" }
        #expect(notices.map(\.pod) == ["shop/p7"] && tally.untold == 19)
    }

    @Test func `the gate lets denials in, some at a time, and counts the rest`() {
        let gate = DenialGate()
        #expect(!gate.isWanted(flow(verdict: .allow)) && !gate.isWanted(flow(verdict: .audit)))
        #expect(!gate.isWanted(flow(pod: 99)), "nobody's")
        #expect(!gate.isWanted(flow(to: IPAddress(v4: 0xe000_00fb))), "a question to a group")
        #expect(!gate.isWanted(flow(to: IPAddress(high: 0xff02 << 48, low: 2))))
        let wanted = (0..<1000).count { _ in gate.isWanted(flow(packets: 2)) }
        #expect(wanted == DenialGate.flowsPerTick)
        #expect(gate.reopen() == 2 * UInt64(1000 - wanted))
        #expect(gate.isWanted(flow()) && gate.reopen() == 0)
    }
}
