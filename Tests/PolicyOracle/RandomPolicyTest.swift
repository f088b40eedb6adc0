// SPDX-License-Identifier: Apache-2.0

/// Policy tests drawn from a small universe, so that workloads, prefixes, ports and rules overlap often.
///
/// Everything is valid: a document that the product refuses is a finding. The dialects stand in files of their own.
package struct RandomPolicyTest {
    private var random: SeededNumbers
    /// What the document under way has.
    var cluster = RandomCluster()
    private var hasBaseline = false
    /// Nodes and services have to meet the rules about them to say anything: some draws are about little else.
    var isAboutObjects = false
    /// Of those some are about nodes alone, and mostly about the one that judges: to its own workloads it is the host.
    var isAboutNodes = false
    /// The same for names, of DNS and of ports: names above and below each other share few addresses, inside ones among
    /// them; workloads of one identity differ about their ports.
    var isAboutNames = false
    /// Of the cases about names those about the names of Calico's sets, which few rules select by chance.
    var isAboutSets = false
    /// Tiers that a document of the case has defined: each may be defined once.
    var definedTiers: Set<String> = []
    /// Profiles and host endpoints that a document of the case has defined.
    var definedOwners: Set<String> = []

    package init(seed: UInt64) { random = SeededNumbers(state: seed) }

    /// A document of kind PolicyTest with so many probes; what they expect is left to those who judge.
    package mutating func document(probes count: Int) -> CaseNode {
        isAboutObjects = chance(30)
        isAboutNodes = isAboutObjects && chance(40)
        isAboutNames = !isAboutObjects && chance(30)
        isAboutSets = isAboutNames && chance(50)
        drawCluster()
        hasBaseline = false
        definedTiers = []
        definedOwners = []
        let dialects =
            isAboutObjects
            ? isAboutNodes ? Dialect.aboutNodes : Dialect.aboutObjects
            : isAboutNames && (isAboutSets || chance(80))
                ? isAboutSets ? Dialect.aboutSets : Dialect.aboutNames
                : chance(30) ? Dialect.family(of: pick(Dialect.allCases)) : Dialect.allCases
        let policies = (0..<number((isAboutNodes || isAboutSets ? 4 : 1)...8)).map {
            CaseNode.object([("inline", policy($0, of: dialects))])
        }
        return [
            "apiVersion": "bulkhead.dev/v1alpha1", "kind": "PolicyTest", "metadata": ["name": "random"],
            "namespaces": cluster.namespaces, "workloads": .list(cluster.workloads),
            "names": .list(
                cluster.names.map { ["name": .text($0.name), "addresses": .list($0.addresses.map(CaseNode.text))] }),
            "policies": .list(policies), "probes": .list((0..<count).map { _ in probe() }),
        ]
    }

    /// One policy by itself, of any dialect; the number tells its name.
    package mutating func policy(_ index: Int) -> CaseNode {
        definedTiers = []
        definedOwners = []
        isAboutObjects = chance(30)
        isAboutNodes = false
        isAboutNames = false
        isAboutSets = false
        return policy(index, of: isAboutObjects ? Dialect.aboutObjects : Dialect.allCases)
    }

    /// The workloads of another draw.
    package mutating func workloads() -> CaseNode {
        drawCluster()
        return .list(cluster.workloads)
    }

    private enum Dialect: CaseIterable {
        case kubernetes, cilium, ciliumClusterwide, admin, baseline, cluster, calico, calicoGlobal, calicoStaged
        case calicoTier, calicoSet, calicoProfile, calicoHost, objects

        /// Dialects that a case is about which is about one: what Calico's policies refer to comes with them.
        static func family(of dialect: Dialect) -> [Dialect] {
            switch dialect {
            case .calico, .calicoGlobal, .calicoStaged, .calicoTier, .calicoSet, .calicoProfile, .calicoHost:
                [
                    .calico, .calicoGlobal, .calicoGlobal, .calicoStaged, .calicoTier, .calicoSet, .calicoProfile,
                    .calicoHost, .objects,
                ]
            default: [dialect]
            }
        }

        static let aboutObjects: [Dialect] = [
            .cilium, .cilium, .ciliumClusterwide, .admin, .calico, .calicoGlobal, .objects, .objects, .objects,
            .objects,
        ]

        static let aboutNodes: [Dialect] = [.cilium, .cilium, .ciliumClusterwide, .objects]

        static let aboutNames: [Dialect] = [
            .cilium, .cilium, .cilium, .ciliumClusterwide, .admin, .cluster, .calico, .calicoGlobal,
            .calicoGlobal, .calicoSet, .calicoSet,
        ]

        static let aboutSets: [Dialect] = [.calico, .calicoGlobal, .calicoGlobal, .calicoSet, .calicoSet]
    }

    private mutating func policy(_ index: Int, of dialects: [Dialect]) -> CaseNode {
        switch pick(dialects) {
        case .kubernetes: return networkPolicy(index)
        case .cilium: return ciliumPolicy(index, isClusterwide: false)
        case .ciliumClusterwide: return ciliumPolicy(index, isClusterwide: true)
        case .objects: return clusterObject(index)
        case .calico: return calicoPolicy(index, "NetworkPolicy")
        case .calicoGlobal: return calicoPolicy(index, "GlobalNetworkPolicy")
        case .calicoStaged:
            return chance(25)
                ? stagedKubernetesPolicy(index)
                : calicoPolicy(index, pick(["StagedNetworkPolicy", "StagedGlobalNetworkPolicy"]))
        case .calicoTier: return calicoTier() ?? calicoSet(index)
        case .calicoSet: return calicoSet(index)
        case .calicoProfile: return calicoProfile() ?? calicoSet(index)
        case .calicoHost: return calicoHost() ?? calicoProfile() ?? calicoSet(index)
        case .admin: return adminPolicy(index, isBaseline: false)
        case .baseline where !hasBaseline:
            // There is but one.
            hasBaseline = true
            return adminPolicy(index, isBaseline: true)
        case .baseline, .cluster: return clusterPolicy(index)
        }
    }

    // MARK: - Drawing

    package mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

    package mutating func chance(_ percent: Int) -> Bool { number(1...100) <= percent }

    package mutating func pick<Element>(_ choices: [Element]) -> Element { choices[number(0...choices.count - 1)] }

    mutating func some(_ range: ClosedRange<Int>, _ element: (inout Self) -> CaseNode) -> CaseNode {
        .list((0..<number(range)).map { _ in element(&self) })
    }

    // MARK: - What several dialects use

    mutating func metadata(_ name: String, isNamespaced: Bool) -> CaseNode {
        var members: [(key: String, value: CaseNode)] = [("name", .text(name))]
        if isNamespaced, chance(90) { members.append(("namespace", .text(pick(RandomCluster.policyNamespaces)))) }
        if chance(35) { members.append(("annotations", ["bulkhead.dev/mode": .text(pick(["audit", "enforce"]))])) }
        return .object(members)
    }

    /// `keys`: what the dialect may ask for, with values to choose from.
    mutating func selector(_ keys: [(key: String, values: [String])]) -> CaseNode {
        var members: [(key: String, value: CaseNode)] = []
        if chance(55) {
            let (key, values) = pick(keys)
            members.append(("matchLabels", .object([(key, .text(pick(values)))])))
        }
        if chance(40) { members.append(("matchExpressions", some(1...2) { $0.expression(keys) })) }
        return .object(members)
    }

    private mutating func expression(_ keys: [(key: String, values: [String])]) -> CaseNode {
        let (key, values) = pick(keys)
        let isList = chance(60)
        var members: [(key: String, value: CaseNode)] = [
            ("key", .text(key)),
            ("operator", .text(isList ? pick(["In", "NotIn"]) : pick(["Exists", "DoesNotExist"]))),
        ]
        if isList { members.append(("values", some(1...2) { .text($0.pick(values)) })) }
        return .object(members)
    }

    mutating func podSelector() -> CaseNode { selector(RandomCluster.podKeys) }

    mutating func namespaceSelector() -> CaseNode { chance(30) ? [:] : selector(RandomCluster.namespaceKeys) }

    /// A prefix of addresses in the universe, and a smaller one inside; the two may be equal.
    package mutating func prefixes() -> (outer: String, inner: String) {
        pick([
            ("10.1.0.0/24", "10.1.0.8/29"), ("10.0.0.0/8", "10.1.0.0/25"), ("0.0.0.0/0", "192.0.2.0/24"),
            ("192.0.2.0/24", "192.0.2.128/25"), ("192.0.2.0/25", "192.0.2.7/32"), ("10.1.0.8/29", "10.1.0.9/32"),
            ("fd00:1::/64", "fd00:1::8/125"), ("::/0", "2001:db8::/64"), ("2001:db8::/48", "2001:db8:0:1::/64"),
            ("fd00:1::8/125", "fd00:1::9/128"), ("198.51.100.1/32", "198.51.100.1/32"), ("10.1.1.0/24", "10.1.1.8/30"),
        ])
    }
}

/// Numbers that depend on the seed only (SplitMix64).
package struct SeededNumbers: RandomNumberGenerator {
    package var state: UInt64

    package init(state: UInt64) { self.state = state }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }
}
