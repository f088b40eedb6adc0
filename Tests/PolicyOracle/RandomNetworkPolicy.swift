// SPDX-License-Identifier: Apache-2.0

extension RandomPolicyTest {
    /// A NetworkPolicy with every field of its API.
    mutating func networkPolicy(_ index: Int) -> CaseNode {
        var spec: [(key: String, value: CaseNode)] = [("podSelector", podSelector())]
        let types = pick([["Ingress"], ["Egress"], ["Ingress", "Egress"], [], nil])
        if let types { spec.append(("policyTypes", .list(types.map(CaseNode.text)))) }
        // Rules of a direction that is not listed have no effect, and are taken.
        for (section, peers) in [("ingress", "from"), ("egress", "to")] where chance(70) {
            spec.append((section, some(0...3) { $0.networkPolicyRule(peers) }))
        }
        return [
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": metadata("p\(index)", isNamespaced: true), "spec": .object(spec),
        ]
    }

    private mutating func networkPolicyRule(_ peers: String) -> CaseNode {
        var rule: [(key: String, value: CaseNode)] = []
        if chance(80) { rule.append((peers, some(0...2) { $0.networkPolicyPeer() })) }
        if chance(70) { rule.append(("ports", some(0...2) { $0.networkPolicyPort() })) }
        return .object(rule)
    }

    private mutating func networkPolicyPeer() -> CaseNode {
        switch number(1...4) {
        case 1: return ["podSelector": podSelector()]
        case 2: return ["namespaceSelector": namespaceSelector()]
        case 3: return ["namespaceSelector": namespaceSelector(), "podSelector": podSelector()]
        default:
            let (outer, inner) = prefixes()
            return outer != inner && chance(60)
                ? ["ipBlock": ["cidr": .text(outer), "except": [.text(inner)]]] : ["ipBlock": ["cidr": .text(outer)]]
        }
    }

    private mutating func networkPolicyPort() -> CaseNode {
        var members: [(key: String, value: CaseNode)] = []
        if chance(85) { members.append(("protocol", .text(pick(["TCP", "TCP", "UDP", "SCTP"])))) }
        switch number(1...5) {
        case 1: members.append(("port", .text(pick(RandomCluster.portNames))))
        case 2:
            members.append(("port", .number(80)))
            members.append(("endPort", .number(pick([80, 81, 1030, 8080]))))
        case 3: break
        default: members.append(("port", .number(pick(RandomCluster.portNumbers))))
        }
        return .object(members)
    }
}
