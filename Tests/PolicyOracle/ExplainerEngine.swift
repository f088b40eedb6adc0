// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyCompiler
import PolicyModel
package import PolicyReading
package import PolicyTesting

/// A third opinion: judges by the rules themselves, without compiler, identities or tables.
package final class ExplainerEngine: PolicyTestEngine {
    static let engineName = "explainer"
    package let name = ExplainerEngine.engineName
    private var view: ClusterView?
    private var explainer = Explainer(policies: [])

    package init() {}

    package func load(_ view: ClusterView) {
        self.view = view
        explainer = Explainer(policies: view.policies)
    }

    /// Does not know unasked replies from an endpoint to itself: they are tests of their own.
    package func judge(_ probe: PolicyTest.Probe, at ends: [ProbeEnd]) throws -> [ProbeOutcome.Side] {
        let hasDetail = probe.proto.hasPorts || probe.proto == .icmp || probe.proto == .icmpv6
        let request = Self.requests[probe.proto]?[probe.port >> 8]
        return ends.map { end in
            let isEgress = end.direction == .egress
            // What answers a request is judged as the exchange that the other side would have begun.
            let asked: Direction = (request == nil) == isEgress ? .egress : .ingress
            let own =
                end.stage.map { hostSide(at: nil, isEndpoint: true).at($0) }
                ?? side(isEgress ? probe.source : probe.destination, isEndpoint: true)
            let peer = side(isEgress ? probe.destination : probe.source, isEndpoint: false)
            let explanation = explainer.explainFlow(
                at: own, peer: peer, direction: asked, proto: probe.proto,
                port: hasDetail ? request.map { $0 << 8 } ?? probe.port : nil)
            let flow = outcome(of: explanation, at: end)
            guard end.workload.isHostNetwork, end.crossesHostDevice, probe.source.address != probe.destination.address,
                let ahead = explainer.explainAhead(
                    at: hostSide(at: nil, isEndpoint: true), peer: peer, direction: end.direction, proto: probe.proto,
                    port: hasDetail ? probe.port : nil)
            else { return flow }
            let untracked = outcome(of: ahead.side, at: end)
            return ahead.isFinal ? untracked : untracked.verdict == .allow ? flow : untracked.followed(by: flow)
        }
    }

    private func outcome(of side: Explanation.Side, at end: ProbeEnd) -> ProbeOutcome.Side {
        let verdict: PolicyTest.Expectation =
            switch side.verdict {
            case .allow: .allow
            case .deny: .deny
            case .audit: .audit
            }
        return .init(direction: end.direction, stage: end.stage, verdict: verdict, cause: side.cause)
    }

    /// Replies of each protocol and what they answer.
    private static let requests: [IPProtocol: [UInt16: UInt16]] = [.icmp: [0: 8, 14: 13], .icmpv6: [129: 128]]

    private func side(_ end: PolicyTest.End, isEndpoint: Bool) -> ExplainedSide {
        guard let view else { return .world(end.address) }
        guard let index = end.workload else {
            return .world(
                end.address, names: view.test.names.filter { $0.value.contains(end.address) }.map(\.key).sorted())
        }
        let workload = view.test.workloads[index]
        guard workload.isHostNetwork else {
            let twins = view.test.workloads.filter { !$0.isHostNetwork && $0.labels == workload.labels }
            return ExplainedSide(
                labels: workload.labels, address: end.address, namedPorts: workload.ports,
                sharedPorts: twins.reduce(NamedPorts()) { $0.union($1.ports) }, isEndpoint: isEndpoint)
        }
        guard workload.node == view.node else {
            let remote = LabelSet([Label(source: LabelSource.reserved, key: "remote-node")])
            return ExplainedSide(labels: remote, address: end.address, isEndpoint: false)
        }
        return hostSide(at: end.address, isEndpoint: isEndpoint)
    }

    private func hostSide(at address: IPAddress?, isEndpoint: Bool) -> ExplainedSide {
        let host = view?.host
        var side = ExplainedSide.host(address, labels: host?.labels.labels ?? [], isEndpoint: isEndpoint)
        (side.namedPorts, side.sharedPorts) = (host?.ports ?? NamedPorts(), host?.ports ?? NamedPorts())
        return side
    }
}
