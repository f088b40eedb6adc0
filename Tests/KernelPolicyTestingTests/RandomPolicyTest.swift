// SPDX-License-Identifier: Apache-2.0

/// Policy tests drawn from a small universe, so that workloads, prefixes, ports and rules overlap often.
struct RandomPolicyTest {
    private var random: SeededNumbers

    init(seed: UInt64) { random = SeededNumbers(state: seed) }

    /// A document of kind PolicyTest with so many probes; what they expect is left to the engines.
    mutating func document(probes count: Int) -> CaseNode {
        let workloads = (0..<number(3...6)).map { workload($0) }
        let names = (0..<workloads.count).map { "w\($0)" }
        let policies = (0..<number(1...5)).map { CaseNode.object([("inline", policy($0))]) }
        let probes = (0..<count).map { _ in probe(names) }
        return [
            "apiVersion": "bulkhead.dev/v1alpha1", "kind": "PolicyTest", "metadata": ["name": "random"],
            "namespaces": [["name": "x", "labels": ["team": "red"]]], "workloads": .list(workloads),
            "policies": .list(policies), "probes": .list(probes),
        ]
    }

    // MARK: - Drawing

    private mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

    private mutating func chance(_ percent: Int) -> Bool { number(1...100) <= percent }

    private mutating func pick<Element>(_ choices: [Element]) -> Element { choices[number(0...choices.count - 1)] }

    private mutating func some(_ range: ClosedRange<Int>, _ element: (inout Self) -> CaseNode) -> CaseNode {
        .list((0..<number(range)).map { _ in element(&self) })
    }

    // MARK: - The cluster

    private static let nodes = ["n1", "n2"]
    private static let outsiders = [
        "192.0.2.7", "192.0.2.130", "10.1.0.200", "198.51.100.1", "2001:db8::7", "2001:db8:0:1::7", "fd00:1::c8",
    ]

    /// Every workload has the addresses 10.1.0.n and fd00:1::n; nodes those of 192.0.2.0/24 and 2001:db8::/64.
    private mutating func workload(_ index: Int) -> CaseNode {
        let isHost = index > 0 && chance(20)
        let last = index * 8 + 1
        var labels: [(key: String, value: CaseNode)] = [("app", .text(pick(["a", "b", "c"])))]
        if chance(50) { labels.append(("tier", .text(pick(["x", "y"])))) }
        var members: [(key: String, value: CaseNode)] = [
            ("name", .text("w\(index)")), ("namespace", .text(pick(["default", "default", "x"]))),
            ("node", .text(pick(Self.nodes))), ("labels", .object(labels)),
            (
                "addresses",
                isHost
                    ? [.text("192.0.2.\(last)"), .text("2001:db8::\(last)")]
                    : [.text("10.1.0.\(last)"), .text("fd00:1::\(last)")]
            ),
        ]
        if isHost { members.append(("hostNetwork", .flag(true))) }
        if chance(60) {
            members.append(("ports", [["name": "http", "port": .number(pick([80, 80, 8080])), "protocol": "TCP"]]))
        }
        names[index] = members[1].value.json == "\"x\"" ? "x/w\(index)" : "default/w\(index)"
        return .object(members)
    }

    /// `namespace/name` by number.
    private var names: [Int: String] = [:]

    // MARK: - Policies

    private mutating func selector() -> CaseNode {
        switch number(1...5) {
        case 1, 2: return ["matchLabels": ["app": .text(pick(["a", "b", "c"]))]]
        case 3:
            return ["matchExpressions": [["key": "tier", "operator": .text(pick(["Exists", "DoesNotExist"]))]]]
        case 4:
            return [
                "matchExpressions": [
                    [
                        "key": "app", "operator": .text(pick(["In", "NotIn"])),
                        "values": ["a", .text(pick(["b", "c"]))],
                    ]
                ]
            ]
        default: return [:]
        }
    }

    private mutating func policy(_ index: Int) -> CaseNode {
        switch number(1...8) {
        case 1, 2: networkPolicy(index)
        case 3, 4: ciliumPolicy(index, isClusterwide: false)
        case 5, 6, 7: clusterPolicy(index)
        default: ciliumPolicy(index, isClusterwide: true)
        }
    }

    private mutating func metadata(_ index: Int, isNamespaced: Bool) -> CaseNode {
        var members: [(key: String, value: CaseNode)] = [("name", .text("p\(index)"))]
        if isNamespaced { members.append(("namespace", .text(pick(["default", "default", "x"])))) }
        if chance(25) { members.append(("annotations", ["bulkhead.dev/mode": "audit"])) }
        return .object(members)
    }

    /// A prefix of addresses in the universe, and a smaller one inside.
    private mutating func prefixes() -> (outer: String, inner: String) {
        pick([
            ("10.1.0.0/24", "10.1.0.8/29"), ("10.0.0.0/8", "10.1.0.0/25"), ("0.0.0.0/0", "192.0.2.0/24"),
            ("192.0.2.0/24", "192.0.2.128/25"), ("192.0.2.0/25", "192.0.2.7/32"), ("fd00:1::/64", "fd00:1::8/125"),
            ("::/0", "2001:db8::/64"), ("2001:db8::/48", "2001:db8:0:1::/64"), ("198.51.100.1/32", "198.51.100.1/32"),
        ])
    }

    private mutating func networkPolicy(_ index: Int) -> CaseNode {
        var spec: [(key: String, value: CaseNode)] = [("podSelector", selector())]
        let types = pick([["Ingress"], ["Egress"], ["Ingress", "Egress"]])
        spec.append(("policyTypes", .list(types.map(CaseNode.text))))
        for (type, section, peers) in [("Ingress", "ingress", "from"), ("Egress", "egress", "to")]
        where types.contains(type) && chance(80) {
            spec.append(
                (
                    section,
                    some(0...3) { random in
                        var rule: [(key: String, value: CaseNode)] = []
                        if random.chance(80) { rule.append((peers, random.some(1...2) { $0.networkPolicyPeer() })) }
                        if random.chance(70) { rule.append(("ports", random.some(1...2) { $0.networkPolicyPort() })) }
                        return .object(rule)
                    }
                ))
        }
        return [
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": metadata(index, isNamespaced: true), "spec": .object(spec),
        ]
    }

    private mutating func networkPolicyPeer() -> CaseNode {
        switch number(1...4) {
        case 1: return ["podSelector": selector()]
        case 2: return ["namespaceSelector": chance(50) ? [:] : ["matchLabels": ["team": "red"]]]
        case 3: return ["namespaceSelector": [:], "podSelector": selector()]
        default:
            let (outer, inner) = prefixes()
            return outer != inner && chance(50)
                ? ["ipBlock": ["cidr": .text(outer), "except": [.text(inner)]]] : ["ipBlock": ["cidr": .text(outer)]]
        }
    }

    private mutating func networkPolicyPort() -> CaseNode {
        let proto = CaseNode.text(pick(["TCP", "TCP", "UDP", "SCTP"]))
        switch number(1...5) {
        case 1: return ["protocol": "TCP", "port": "http"]
        case 2: return ["protocol": proto, "port": .number(80), "endPort": .number(pick([81, 1030, 8080]))]
        case 3: return ["protocol": proto]
        default: return ["protocol": proto, "port": .number(pick([53, 80, 443, 8080]))]
        }
    }

    /// Few priorities, so that names decide too.
    private mutating func clusterPolicy(_ index: Int) -> CaseNode {
        var spec: [(key: String, value: CaseNode)] = [
            ("tier", .text(pick(["Admin", "Admin", "Baseline"]))), ("priority", .number(pick([0, 7, 7, 1000]))),
            (
                "subject",
                chance(50) ? ["namespaces": [:]] : ["pods": ["namespaceSelector": [:], "podSelector": selector()]]
            ),
        ]
        for section in ["ingress", "egress"] where chance(70) {
            spec.append((section, some(1...4) { $0.clusterRule(section) }))
        }
        return [
            "apiVersion": "policy.networking.k8s.io/v1alpha2", "kind": "ClusterNetworkPolicy",
            "metadata": metadata(index, isNamespaced: false), "spec": .object(spec),
        ]
    }

    private mutating func clusterRule(_ section: String) -> CaseNode {
        var rule: [(key: String, value: CaseNode)] = [
            ("action", .text(pick(["Accept", "Accept", "Deny", "Deny", "Pass", "Pass"])))
        ]
        let isEgress = section == "egress"
        rule.append(
            (
                isEgress ? "to" : "from",
                some(1...2) { random in
                    switch random.number(1...(isEgress ? 5 : 3)) {
                    case 1: return ["namespaces": ["matchLabels": ["team": "red"]]]
                    case 2: return ["namespaces": [:]]
                    case 3: return ["pods": ["namespaceSelector": [:], "podSelector": random.selector()]]
                    case 4: return ["nodes": [:]]
                    default: return ["networks": [.text(random.prefixes().outer)]]
                    }
                }
            ))
        if chance(60) {
            let ports: [CaseNode] = [
                ["destinationNamedPort": "http"],
                ["tcp": ["destinationPort": ["number": .number(pick([80, 443]))]]],
                ["udp": ["destinationPort": ["number": .number(53)]]],
                ["tcp": ["destinationPort": ["range": ["start": .number(80), "end": .number(pick([1030, 8080]))]]]],
            ]
            rule.append(("protocols", [pick(ports)]))
        }
        return .object(rule)
    }

    private mutating func ciliumPolicy(_ index: Int, isClusterwide: Bool) -> CaseNode {
        let isOfHosts = isClusterwide && chance(50)
        var spec: [(key: String, value: CaseNode)] = [
            isOfHosts ? ("nodeSelector", [:]) : ("endpointSelector", selector())
        ]
        let sections = ["ingress", "egress", "ingressDeny", "egressDeny"].filter { _ in chance(45) }
        for section in sections.isEmpty ? ["ingress"] : sections {
            spec.append((section, some(1...2) { $0.ciliumRule(section) }))
        }
        if chance(20) { spec.append(("enableDefaultDeny", ["ingress": .flag(false), "egress": .flag(false)])) }
        return [
            "apiVersion": "cilium.io/v2",
            "kind": .text(isClusterwide ? "CiliumClusterwideNetworkPolicy" : "CiliumNetworkPolicy"),
            "metadata": metadata(index, isNamespaced: !isClusterwide), "spec": .object(spec),
        ]
    }

    private mutating func ciliumRule(_ section: String) -> CaseNode {
        let from = section.hasPrefix("ingress") ? "from" : "to"
        var rule: [(key: String, value: CaseNode)] = []
        switch number(1...6) {
        case 1, 2: rule.append(("\(from)Endpoints", some(1...2) { $0.selector() }))
        case 3:
            rule.append(
                ("\(from)Entities", [.text(pick(["all", "world", "cluster", "host", "remote-node", "world-ipv6"]))]))
        case 4: rule.append(("\(from)CIDR", [.text(prefixes().outer)]))
        case 5:
            let (outer, inner) = prefixes()
            let except: [(key: String, value: CaseNode)] = outer == inner ? [] : [("except", [.text(inner)])]
            rule.append(("\(from)CIDRSet", [.object([("cidr", .text(outer))] + except)]))
        default: break
        }
        switch number(1...4) {
        case 1, 2: rule.append(("toPorts", [["ports": some(1...2) { $0.ciliumPort() }]]))
        case 3:
            let field: CaseNode =
                chance(50)
                ? ["type": .number(pick([0, 8, 13]))] : ["family": "IPv6", "type": .number(pick([128, 1]))]
            rule.append(("icmps", [["fields": [field]]]))
        default: break
        }
        return .object(rule)
    }

    private mutating func ciliumPort() -> CaseNode {
        let proto = CaseNode.text(pick(["TCP", "UDP", "ANY", "SCTP"]))
        switch number(1...4) {
        case 1: return ["port": "http", "protocol": "TCP"]
        case 2: return ["port": "80", "endPort": .number(pick([81, 1030, 8080])), "protocol": proto]
        case 3: return ["port": "0", "protocol": proto]
        default: return ["port": .text(pick(["53", "80", "443", "8080"])), "protocol": proto]
        }
    }

    // MARK: - Probes

    private mutating func probe(_ workloads: [String]) -> CaseNode {
        let isIPv4 = chance(50)
        func outsiders() -> [String] { Self.outsiders.filter { $0.contains(":") != isIPv4 } }
        let inside = workloads.indices.map { names[$0] ?? "" }
        var ends = [pick(inside), chance(65) ? pick(inside) : pick(outsiders())]
        if chance(50) { ends.swapAt(0, 1) }
        var members: [(key: String, value: CaseNode)] = [
            ("from", .text(ends[0])), ("to", .text(ends[1])), ("family", isIPv4 ? "IPv4" : "IPv6"),
            ("expect", "allow"),
        ]
        switch number(1...8) {
        case 1:
            // Replies to oneself are judged half by half; KernelEngineTests has them.
            if ends[0] == ends[1] { ends[1] = pick(outsiders()) }
            members[1].value = .text(ends[1])
            let types = isIPv4 ? [0, 3, 5, 8, 8, 11, 13, 14, 17] : [1, 2, 128, 128, 129, 135, 143]
            members += [("protocol", "ICMP"), ("icmpType", .number(pick(types)))]
        case 2: members.append(("protocol", .number(pick([2, 47, 50]))))
        default:
            members += [
                ("protocol", .text(pick(["TCP", "TCP", "TCP", "UDP", "UDP", "SCTP"]))),
                ("port", .number(pick([1, 53, 79, 80, 81, 82, 443, 1030, 1031, 8080, 8081, 49_152, 65_535]))),
            ]
        }
        return .object(members)
    }
}

/// Numbers that depend on the seed only (SplitMix64).
struct SeededNumbers: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }
}
