// SPDX-License-Identifier: Apache-2.0

extension RandomPolicyTest {
    /// A ClusterNetworkPolicy of one of the two tiers; few priorities, so that names decide too.
    mutating func clusterPolicy(_ index: Int) -> CaseNode {
        let isBaseline = chance(33)
        var spec: [(key: String, value: CaseNode)] = [
            ("tier", isBaseline ? "Baseline" : "Admin"), ("priority", .number(pick([0, 7, 7, 1000]))),
            ("subject", adminWorkloads()),
        ]
        for section in ["ingress", "egress"] where chance(70) {
            spec.append(
                (
                    section,
                    some(1...4) {
                        $0.adminRule(section, ["Accept", "Deny", "Pass"], "protocols", isBaseline: isBaseline)
                    }
                ))
        }
        return [
            "apiVersion": "policy.networking.k8s.io/v1alpha2", "kind": "ClusterNetworkPolicy",
            "metadata": metadata("p\(index)", isNamespaced: false), "spec": .object(spec),
        ]
    }

    /// An AdminNetworkPolicy, or the one BaselineAdminNetworkPolicy.
    mutating func adminPolicy(_ index: Int, isBaseline: Bool) -> CaseNode {
        var spec: [(key: String, value: CaseNode)] = [("subject", adminWorkloads())]
        if !isBaseline { spec.append(("priority", .number(pick([0, 7, 8, 1000])))) }
        let actions = ["Allow", "Deny"] + (isBaseline ? [] : ["Pass"])
        for section in ["ingress", "egress"] where chance(70) {
            spec.append((section, some(0...4) { $0.adminRule(section, actions, "ports", isBaseline: isBaseline) }))
        }
        return [
            "apiVersion": "policy.networking.k8s.io/v1alpha1",
            "kind": isBaseline ? "BaselineAdminNetworkPolicy" : "AdminNetworkPolicy",
            "metadata": metadata(isBaseline ? "default" : "p\(index)", isNamespaced: false), "spec": .object(spec),
        ]
    }

    private mutating func adminWorkloads() -> CaseNode {
        chance(40)
            ? ["namespaces": namespaceSelector()]
            : ["pods": ["namespaceSelector": namespaceSelector(), "podSelector": podSelector()]]
    }

    private mutating func adminRule(
        _ section: String, _ actions: [String], _ ports: String, isBaseline: Bool
    ) -> CaseNode {
        let isEgress = section == "egress"
        let action = pick(actions)
        // Names are in rules that allow, and not in the baseline.
        let hasNames = isEgress && !isBaseline && ["Allow", "Accept"].contains(action)
        var rule: [(key: String, value: CaseNode)] = [
            ("action", .text(action)),
            (isEgress ? "to" : "from", some(1...2) { $0.adminPeer(isEgress: isEgress, hasNames: hasNames) }),
        ]
        if chance(30) { rule.append(("name", "why")) }
        if chance(60) {
            rule.append((ports, some(1...2) { ports == "ports" ? $0.adminPort() : $0.clusterPolicyPort() }))
        }
        return .object(rule)
    }

    private mutating func adminPeer(isEgress: Bool, hasNames: Bool) -> CaseNode {
        switch number(1...(hasNames ? isAboutNames ? 11 : 7 : isEgress ? 5 : 3)) {
        case 6, 7, 8, 9, 10, 11: return ["domainNames": some(1...2) { .text($0.pick(RandomPolicyTest.adminNames)) }]
        case 1, 2, 3: return adminWorkloads()
        case 4: return ["nodes": chance(40) ? [:] : selector(RandomCluster.nodeKeys)]
        default: return ["networks": some(1...2) { .text($0.prefixes().outer) }]
        }
    }

    private static let adminNames = RandomCluster.domainNames + ["*.a.test", "*.test", "*.w.a.test", "B.test."]

    private mutating func adminPort() -> CaseNode {
        let proto = CaseNode.text(pick(["TCP", "UDP", "SCTP"]))
        switch number(1...3) {
        case 1: return ["namedPort": .text(pick(RandomCluster.portNames))]
        case 2: return ["portNumber": ["protocol": proto, "port": .number(pick(RandomCluster.portNumbers))]]
        default:
            return [
                "portRange": [
                    "protocol": proto, "start": .number(pick([1, 80])), "end": .number(pick([81, 1030, 65_535])),
                ]
            ]
        }
    }

    private mutating func clusterPolicyPort() -> CaseNode {
        let word = pick(["tcp", "udp", "sctp"])
        switch number(1...3) {
        case 1: return ["destinationNamedPort": .text(pick(RandomCluster.portNames))]
        case 2:
            return destination(word, ["number": .number(pick(RandomCluster.portNumbers))])
        default:
            let range: CaseNode = ["start": .number(pick([1, 80])), "end": .number(pick([81, 1030, 65_535]))]
            return destination(word, ["range": range])
        }
    }

    private func destination(_ word: String, _ port: CaseNode) -> CaseNode {
        .one(word, ["destinationPort": port])
    }
}
