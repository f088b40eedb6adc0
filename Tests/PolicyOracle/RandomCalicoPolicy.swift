// SPDX-License-Identifier: Apache-2.0

extension RandomPolicyTest {
    /// A NetworkPolicy or GlobalNetworkPolicy of Calico, before, at and behind the order of the other dialects.
    mutating func calicoPolicy(_ index: Int, isGlobal: Bool) -> CaseNode {
        var spec: [(key: String, value: CaseNode)] = []
        if chance(80) { spec.append(("order", .number(pick([1, 10, 10, 1000, 1001, 2000])))) }
        if chance(80) { spec.append(("selector", calicoSelector())) }
        if isGlobal, chance(30) { spec.append(("namespaceSelector", calicoNamespaces())) }
        let types = pick([["Ingress"], ["Egress"], ["Ingress", "Egress"], nil, nil])
        if let types { spec.append(("types", .list(types.map(CaseNode.text)))) }
        for section in ["ingress", "egress"] where chance(70) {
            spec.append((section, some(0...4) { $0.calicoRule(isIngress: section == "ingress") }))
        }
        return [
            "apiVersion": "projectcalico.org/v3", "kind": .text(isGlobal ? "GlobalNetworkPolicy" : "NetworkPolicy"),
            "metadata": metadata("p\(index)", isNamespaced: !isGlobal), "spec": .object(spec),
        ]
    }

    // MARK: - Selectors

    private mutating func calicoSelector() -> CaseNode { .text(calicoExpression(RandomCluster.podKeys, depth: 0)) }

    private mutating func calicoNamespaces() -> CaseNode {
        if chance(10) { return "global()" }
        let keys = RandomCluster.namespaceKeys + [("projectcalico.org/name", ["default", "x", "y"])]
        return .text(chance(20) ? "all()" : calicoExpression(keys, depth: 1))
    }

    private mutating func calicoExpression(_ keys: [(key: String, values: [String])], depth: Int) -> String {
        let (key, values) = pick(keys)
        let value = pick(values)
        func part(_ random: inout Self) -> String { random.calicoExpression(keys, depth: depth + 1) }
        switch number(1...(depth < 2 ? 14 : 9)) {
        case 1, 2: return "\(key) == '\(value)'"
        case 3: return "\(key) != '\(value)'"
        case 4: return "has(\(key))"
        case 5: return "\(key) in {'\(value)', '\(pick(values))'}"
        case 6: return "\(key) not in {'\(value)', '\(pick(values))'}"
        case 7: return "\(key) starts with '\(value.prefix(1))'"
        case 8: return "\(key) \(pick(["contains", "ends with"])) '\(value.suffix(1))'"
        case 9: return pick(["all()", "!has(\(key))"])
        case 10: return "!(\(part(&self)))"
        case 11, 12: return "\(part(&self)) && \(part(&self))"
        case 13: return "(\(part(&self)) || \(part(&self))) && \(part(&self))"
        default: return "\(part(&self)) || \(part(&self))"
        }
    }

    // MARK: - Rules

    private mutating func calicoRule(isIngress: Bool) -> CaseNode {
        var rule: [(key: String, value: CaseNode)] = [
            ("action", .text(pick(["Allow", "Allow", "Allow", "Deny", "Deny", "Pass", "Log"])))
        ]
        let proto = chance(65) ? pick(["TCP", "TCP", "UDP", "SCTP", "ICMP", "ICMPv6", "47"]) : nil
        if let proto { rule.append(("protocol", Int(proto).map(CaseNode.number) ?? .text(proto))) }
        if proto == nil, chance(15) { rule.append(("notProtocol", .text(pick(["TCP", "UDP", "ICMP"])))) }
        let isICMP = proto == "ICMP" || proto == "ICMPv6"
        if isICMP, chance(50) { rule.append(("icmp", calicoType(isIPv4: proto == "ICMP"))) }
        if isICMP, chance(25) { rule.append(("notICMP", calicoType(isIPv4: proto == "ICMP"))) }
        var family = chance(15) ? pick([4, 6]) : nil
        if isICMP, family != nil { family = proto == "ICMP" ? 4 : 6 }
        if let family { rule.append(("ipVersion", .number(family))) }
        var ends = [calicoOwnEnd(), calicoPeer(family)]
        if isIngress { ends.swapAt(0, 1) }
        if let proto, ["TCP", "UDP", "SCTP"].contains(proto) { ends[1] += calicoPorts() }
        for (name, end) in zip(["source", "destination"], ends) where !end.isEmpty { rule.append((name, .object(end))) }
        return .object(rule)
    }

    private mutating func calicoType(isIPv4: Bool) -> CaseNode {
        if chance(30) { return isIPv4 ? ["type": 3, "code": .number(pick([0, 1]))] : ["type": 1, "code": 0] }
        return ["type": .number(isIPv4 ? pick([0, 3, 8, 13]) : pick([1, 2, 128]))]
    }

    private mutating func calicoOwnEnd() -> [(key: String, value: CaseNode)] {
        switch number(1...8) {
        case 1: [("selector", calicoSelector())]
        case 2: [("notSelector", calicoSelector())]
        default: []
        }
    }

    private mutating func calicoPeer(_ family: Int?) -> [(key: String, value: CaseNode)] {
        var end: [(key: String, value: CaseNode)] = []
        if chance(45) { end.append(("selector", calicoSelector())) }
        if chance(20) { end.append(("namespaceSelector", calicoNamespaces())) }
        if chance(20) { end.append(("notSelector", calicoSelector())) }
        if chance(30) { end.append(("nets", some(1...2) { $0.calicoNet(family) })) }
        if chance(20) { end.append(("notNets", some(1...2) { $0.calicoNet(family) })) }
        return end
    }

    private mutating func calicoNet(_ family: Int?) -> CaseNode {
        while true {
            let (outer, inner) = prefixes()
            let net = chance(50) ? outer : inner
            if family == nil || net.contains(":") == (family == 6) { return .text(net) }
        }
    }

    private mutating func calicoPorts() -> [(key: String, value: CaseNode)] {
        let numbers: [CaseNode] = RandomCluster.portNumbers.map(CaseNode.number) + ["80:81", "80:1030", "1:65535"]
        switch number(1...5) {
        case 1: return [("ports", some(1...2) { .text($0.pick(RandomCluster.portNames)) })]
        case 2: return [("ports", some(1...3) { $0.pick(numbers) })]
        case 3: return [("notPorts", some(1...2) { $0.pick(numbers) })]
        case 4: return [("ports", some(1...2) { $0.pick(numbers) }), ("notPorts", some(1...2) { $0.pick(numbers) })]
        default: return []
        }
    }
}
