// SPDX-License-Identifier: Apache-2.0

import EventModel
import FlowAggregation
import IdentityModel
import NetworkModel
import Testing

@Suite struct FlowFilterTests {
    private static func flow() -> Flow {
        var event = FlowEvent(
            timestamp: 1, verdict: .audit, reason: .policyDefaultDeny, direction: .ingress, state: .new,
            ipProtocol: .udp, source: IPAddress(v4: 0x0a01_0001), destination: IPAddress(v4: 0x0a02_0001))
        event.endpoint = 5
        event.sourcePort = 1234
        event.destinationPort = 53
        event.identity = NumericIdentity(rawValue: 300)
        event.peerIdentity = .world
        var names = FlowNames()
        names.setEndpoint(EndpointName(number: 5, name: "dns"))
        let labels = LabelSet([Label(source: "k8s", key: "app", value: "dns")])
        names.setIdentity(ResolvedIdentity(identity: event.identity, labels: labels))
        return Flow(event, sequence: 1, time: 1, names: names)
    }

    private static func filter(_ change: (inout FlowFilter) -> Void) -> FlowFilter {
        var filter = FlowFilter()
        change(&filter)
        return filter
    }

    private static func label(_ value: String) -> LabelSelector {
        LabelSelector([LabelRequirement(key: "app", .isIn([value]))])
    }

    @Test(arguments: [
        filter { _ in }, filter { $0.endpoints = ["dns"] }, filter { $0.endpoints = ["x", "5"] },
        filter { $0.labels = [label("dns")] }, filter { $0.identities = [.world] },
        filter { $0.identities = [NumericIdentity(rawValue: 300)] }, filter { $0.verdicts = [.deny, .audit] },
        filter { $0.reasons = [.policyDefaultDeny] }, filter { $0.ports = [53] }, filter { $0.ports = [1234] },
        filter { $0.protocols = [.udp] }, filter { $0.prefixes = [CIDR(IPAddress(v4: 0x0a01_0000), length: 16)] },
        filter { $0.direction = .ingress },
    ])
    func `a filter that describes the flow lets it pass`(filter: FlowFilter) {
        #expect(filter.matches(Self.flow()))
    }

    @Test(arguments: [
        filter { $0.endpoints = ["web"] }, filter { $0.labels = [label("web")] },
        filter { $0.identities = [.host] }, filter { $0.verdicts = [.deny] }, filter { $0.reasons = [.policyDeny] },
        filter { $0.ports = [54] }, filter { $0.protocols = [.tcp] },
        filter { $0.prefixes = [CIDR(IPAddress(v4: 0x0b00_0000), length: 8)] }, filter { $0.direction = .egress },
    ])
    func `one field that does not describe the flow stops it`(filter: FlowFilter) {
        var strict = filter
        strict.protocols += strict.protocols.isEmpty ? [.udp] : []
        #expect(!strict.matches(Self.flow()))
    }

    @Test func `ICMP type and code are not mistaken for a port`() {
        var event = FlowEvent(
            timestamp: 1, verdict: .allow, reason: .none, direction: .egress, state: .new, ipProtocol: .icmp,
            source: IPAddress(v4: 1), destination: IPAddress(v4: 2))
        event.destinationPort = 8 << 8
        let flow = Flow(event, sequence: 1, time: 1, names: FlowNames())
        #expect(!Self.filter { $0.ports = [2048] }.matches(flow))
    }
}
