// SPDX-License-Identifier: Apache-2.0

extension RandomPolicyTest {
    private static let tiers = ["security", "platform", "zone"]

    /// A policy of the tier of all dialects (before, at and behind the order of the others) or of a tier of its own;
    /// staged kinds say what is to be done with them.
    mutating func calicoPolicy(_ index: Int, _ kind: String) -> CaseNode {
        let isGlobal = kind.contains("Global")
        var spec: [(key: String, value: CaseNode)] = []
        if kind.hasPrefix("Staged"), chance(80) {
            spec.append(("stagedAction", .text(pick(["Set", "Set", "Set", "Delete", "Learn", "Ignore"]))))
        }
        let isOnForward = isGlobal && chance(40), isPreDNAT = isOnForward && chance(40)
        if isOnForward { spec.append(("applyOnForward", .flag(true))) }
        if isOnForward, !isPreDNAT, chance(50) { spec.append(("doNotTrack", .flag(true))) }
        if isPreDNAT { spec.append(("preDNAT", .flag(true))) }
        if !isPreDNAT, chance(35) { spec.append(("tier", .text(pick(Self.tiers + ["default"])))) }
        if chance(80) { spec.append(("order", .number(pick([1, 10, 10, 1000, 1001, 2000])))) }
        if chance(80) { spec.append(("selector", calicoSelector())) }
        if chance(10) { spec.append(("serviceAccountSelector", calicoAccounts())) }
        if isGlobal, chance(30) { spec.append(("namespaceSelector", calicoNamespaces())) }
        let types =
            isPreDNAT ? pick([["Ingress"], nil]) : pick([["Ingress"], ["Egress"], ["Ingress", "Egress"], nil, nil])
        if let types { spec.append(("types", .list(types.map(CaseNode.text)))) }
        for section in isPreDNAT ? ["ingress"] : ["ingress", "egress"] where chance(70) {
            let rules = some(0...4) { $0.calicoRule(isIngress: section == "ingress", mayName: !isOnForward) }
            spec.append((section, rules))
        }
        return [
            "apiVersion": "projectcalico.org/v3", "kind": .text(kind),
            "metadata": metadata(stagedName(index, kind), isNamespaced: !isGlobal), "spec": .object(spec),
        ]
    }

    /// What is staged is often about the policy before it.
    private mutating func stagedName(_ index: Int, _ kind: String) -> String {
        let other = "p\(max(0, index - 1))"
        guard kind.hasPrefix("Staged") else { return "p\(index)" }
        let isOther = chance(60) && definedOwners.insert("\(kind)/\(other)").inserted
        definedOwners.insert("\(kind)/p\(index)")
        return isOther ? other : "p\(index)"
    }

    /// A policy of Kubernetes on trial.
    mutating func stagedKubernetesPolicy(_ index: Int) -> CaseNode {
        let action: CaseNode = .text(pick(["Set", "Set", "Delete", "Ignore"]))
        return networkPolicy(index).replacing("apiVersion") { _ in "projectcalico.org/v3" }
            .replacing("kind") { _ in "StagedKubernetesNetworkPolicy" }
            .replacing("spec") { .object($0.members + [(key: "stagedAction", value: action)]) }
    }

    // MARK: - What policies refer to

    /// A tier before, between, with and behind the fixed ones; nil if all are defined.
    mutating func calicoTier() -> CaseNode? {
        let name = pick(Self.tiers)
        guard definedTiers.insert(name).inserted else { return nil }
        var spec: [(key: String, value: CaseNode)] = []
        let orders = [100, 1000, 500_000, 500_000, 1_000_000, 5_000_000, 10_000_000, 20_000_000]
        if chance(80) { spec.append(("order", .number(pick(orders)))) }
        if chance(70) { spec.append(("defaultAction", .text(pick(["Pass", "Deny"])))) }
        return [
            "apiVersion": "projectcalico.org/v3", "kind": "Tier", "metadata": ["name": .text(name)],
            "spec": .object(spec),
        ]
    }

    /// A profile of a namespace, of an account, or for hosts; nil if all are defined.
    mutating func calicoProfile() -> CaseNode? {
        let name = pick(["kns.default", "kns.x", "ksa.default.robot", "ksa.x.robot", "open", "web"])
        guard definedOwners.insert(name).inserted else { return nil }
        var spec: [(key: String, value: CaseNode)] = []
        if chance(70) {
            spec.append(("labelsToApply", ["tier": .text(pick(["x", "y"])), "pcsa.role": .text(pick(["r", "s"]))]))
        }
        for section in ["ingress", "egress"] where !name.hasPrefix("ksa.") && chance(60) {
            spec.append((section, some(0...3) { $0.calicoRule(isIngress: section == "ingress", mayPass: false) }))
        }
        return calicoOwner("Profile", name, [], spec)
    }

    /// A host with labels that workloads have too; nil if all are defined.
    mutating func calicoHost() -> CaseNode? {
        let name = pick(["h1", "h2", "h3"])
        guard definedOwners.insert(name).inserted else { return nil }
        let node = name == "h3" ? pick(RandomCluster.nodes) : name == "h1" ? "n1" : "n2"
        var spec: [(key: String, value: CaseNode)] = [("node", .text(node)), ("interfaceName", "*")]
        if chance(60) {
            spec.append(("expectedIPs", some(1...2) { .text($0.pick(["192.0.2.1", "192.0.2.2", "2001:db8::1"])) }))
        }
        let profiles: [CaseNode] = pick([
            [], ["web"], ["open", "web"], ["projectcalico-default-allow"], ["open", "projectcalico-default-allow"],
        ])
        if !profiles.isEmpty { spec.append(("profiles", .list(profiles))) }
        if chance(50) {
            spec.append(("ports", [["name": "http", "protocol": "TCP", "port": .number(pick([80, 443]))]]))
        }
        return calicoOwner("HostEndpoint", name, [("app", .text(pick(["a", "b", "c"])))], spec)
    }

    private mutating func calicoOwner(
        _ kind: String, _ name: String, _ labels: [(key: String, value: CaseNode)],
        _ spec: [(key: String, value: CaseNode)]
    ) -> CaseNode {
        var members: [(key: String, value: CaseNode)] = [("name", .text(name))]
        if !labels.isEmpty { members.append(("labels", .object(labels))) }
        if chance(25) { members.append(("annotations", ["bulkhead.dev/mode": "audit"])) }
        return [
            "apiVersion": "projectcalico.org/v3", "kind": .text(kind), "metadata": .object(members),
            "spec": .object(spec),
        ]
    }

    /// Prefixes with labels that workloads have too.
    mutating func calicoSet(_ index: Int) -> CaseNode {
        let isGlobal = chance(50)
        var members: [(key: String, value: CaseNode)] = [("name", .text("p\(index)"))]
        if !isGlobal, chance(90) { members.append(("namespace", .text(pick(RandomCluster.policyNamespaces)))) }
        var labels: [(key: String, value: CaseNode)] = [("app", .text(pick(["a", "b", "c"])))]
        if chance(40) { labels.append(("tier", .text(pick(["x", "y"])))) }
        if chance(90) { members.append(("labels", .object(labels))) }
        var spec: [(key: String, value: CaseNode)] = []
        if !isAboutNames || chance(40) { spec.append(("nets", some(0...3) { $0.calicoNet(nil) })) }
        if chance(isAboutNames ? 90 : 25) { spec.append(("allowedEgressDomains", some(0...3) { $0.calicoDomain() })) }
        return [
            "apiVersion": "projectcalico.org/v3", "kind": .text(isGlobal ? "GlobalNetworkSet" : "NetworkSet"),
            "metadata": .object(members), "spec": .object(spec),
        ]
    }

    // MARK: - Selectors

    private mutating func calicoSelector() -> CaseNode { .text(calicoExpression(RandomCluster.podKeys, depth: 0)) }

    private mutating func calicoAccounts() -> CaseNode {
        .text(pick(["role == 'r'", "role != 'r'", "projectcalico.org/name == 'robot'", "has(role)"]))
    }

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

    private mutating func calicoRule(isIngress: Bool, mayPass: Bool = true, mayName: Bool = true) -> CaseNode {
        var rule: [(key: String, value: CaseNode)] = [
            ("action", .text(pick(["Allow", "Allow", "Allow", "Deny", "Deny", mayPass ? "Pass" : "Deny", "Log"])))
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
        let mayName = mayName && !isIngress && family == nil && !isICMP && rule.first?.value.string == "Allow"
        let hasNames = mayName && chance(isAboutSets ? 15 : isAboutNames ? 50 : 10)
        let hasPorts = ["TCP", "UDP", "SCTP"].contains(proto ?? "TCP")
        let isService = !hasNames && (isIngress || hasPorts) && chance(12)
        var ends = [
            calicoOwnEnd(), hasNames ? calicoDomains() : isService ? calicoService() : calicoPeer(family),
        ]
        if isIngress { ends.swapAt(0, 1) }
        if proto != nil, hasPorts, isIngress || !isService { ends[1] += calicoPorts() }
        for (name, end) in zip(["source", "destination"], ends) where !end.isEmpty { rule.append((name, .object(end))) }
        return .object(rule)
    }

    private mutating func calicoDomains() -> [(key: String, value: CaseNode)] {
        [("domains", some(1...2) { $0.calicoDomain() })]
    }

    private mutating func calicoDomain() -> CaseNode {
        .text(
            pick(RandomCluster.domainNames + ["*", "*.test", "*.a.test", "x.*.test", "W.*.Test.", "w.*", "*.w.a.test"]))
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

    private mutating func calicoService() -> [(key: String, value: CaseNode)] {
        [("services", ["name": .text("p\(number(0...3))"), "namespace": .text(pick(["default", "x"]))])]
    }

    private mutating func calicoPeer(_ family: Int?) -> [(key: String, value: CaseNode)] {
        var end: [(key: String, value: CaseNode)] = []
        if isAboutSets, chance(70) {
            end.append(("selector", .text(pick(["all()", "has(app)", "app in {'a', 'b'}", "app == 'c'"]))))
        } else if chance(isAboutNames ? 80 : 45) {
            end.append(("selector", calicoSelector()))
        }
        if isAboutNames, chance(isAboutSets ? 40 : 70) { return end }
        if isAboutSets, chance(80) {
            end.append((pick(["nets", "notNets"]), some(1...2) { $0.calicoNet(family) }))
            return end
        }
        if chance(20) { end.append(("namespaceSelector", calicoNamespaces())) }
        if chance(12) {
            end.append(("serviceAccounts", chance(50) ? ["names": ["robot"]] : ["selector": calicoAccounts()]))
        }
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
        func named(_ random: inout Self) -> CaseNode { .text(random.pick(RandomCluster.portNames)) }
        switch number(1...7) {
        case 1: return [("ports", some(1...2) { .text($0.pick(RandomCluster.portNames)) })]
        case 2: return [("ports", some(1...3) { $0.pick(numbers) })]
        case 3: return [("notPorts", some(1...2) { $0.pick(numbers) })]
        case 4: return [("ports", some(1...2) { $0.pick(numbers) }), ("notPorts", some(1...2) { $0.pick(numbers) })]
        case 5: return [("notPorts", some(1...2) { $0.chance(60) ? named(&$0) : $0.pick(numbers) })]
        case 6:
            let either = { (random: inout Self) in random.chance(50) ? named(&random) : random.pick(numbers) }
            return [("ports", some(1...3, either)), ("notPorts", some(1...2, either))]
        default: return []
        }
    }
}
