// SPDX-License-Identifier: Apache-2.0

import IdentityAllocation
import IdentityModel
import NetworkModel
import PolicyCompiler
import PolicyModel

/// Endpoints, outsiders and policies drawn from a small universe, so that everything overlaps with everything.
struct RandomScenario {
    var random: SplitMix64
    var parties: [Party] = []
    var outsiders: [Party] = []
    var policies: [Policy] = []
    var allowHost = true

    init(seed: UInt64) {
        random = SplitMix64(state: seed)
        allowHost = chance(80)
        let host = Party(
            name: "host", labels: LabelSet([Label(source: "reserved", key: "host"), label("role", "node")]),
            address: address(), isHost: true)
        parties.append(host)
        for number in 0..<Int.random(in: 3...7, using: &random) {
            parties.append(
                Party(name: "endpoint-\(number)", labels: labels(), address: freshAddress(), ports: ports()))
        }
        for number in 0..<6 {
            outsiders.append(
                Party(
                    name: "outsider-\(number)", labels: LabelSet([Label(source: "reserved", key: "world")]),
                    address: freshAddress(), isWorkload: false))
        }
        for number in 0..<Int.random(in: 1...6, using: &random) { policies.append(policy(number)) }
        for number in 0..<Int.random(in: 0...4, using: &random) { policies.append(definition(number)) }
    }

    /// A tier or a group of prefixes.
    private mutating func definition(_ number: Int) -> Policy {
        let location = SourceLocation(file: "random.yaml", line: 100 + number, column: 1)
        if number < 2 {
            let name = ["a", "b"][number]
            return Policy(
                reference: PolicyReference(kind: "Tier", namespace: "", name: name), source: location, rules: [],
                defaultDeny: [],
                definedTier: TierDefinition(
                    name: name, order: pick([nil, 500, 500, 1_000_000, 2_000_000]), closes: chance(60)))
        }
        return Policy(
            reference: PolicyReference(kind: "Group", namespace: "", name: "g\(number)"), source: location, rules: [],
            defaultDeny: [],
            prefixGroup: PrefixGroup(
                labels: LabelSet([label("list", pick(["x", "y"]))]),
                prefixes: (0..<Int.random(in: 0...4, using: &random)).map { _ in prefix() },
                includesWorkloads: chance(60)))
    }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    mutating func pick<Element>(_ choices: [Element]) -> Element {
        choices[Int.random(in: 0..<choices.count, using: &random)]
    }

    mutating func policy(_ number: Int) -> Policy {
        let location = SourceLocation(file: "random.yaml", line: number, column: 1)
        let reference = PolicyReference(kind: "Random", namespace: "n", name: "p\(number)")
        let isAudit = chance(25)
        let tier = pick([PolicyTier.normal, .normal, .normal, .admin, .baseline, .own("a"), .own("b")])
        // Few priorities and orders, so that names decide too.
        let order: PolicyOrder =
            switch tier {
            case .admin, .baseline: .priority(pick([0, 1, 1, 1000]))
            case .normal where chance(60): .together
            default: .ordered(pick([nil, nil, -3, 0.5, 7, 7, 1000, 1000.5, 90_000]))
            }
        let subject: SubjectSelector = chance(12) ? .hosts(selector()) : .endpoints(selector())
        var rules: [PolicyRule] = []
        for index in 0..<Int.random(in: 0...4, using: &random) {
            rules.append(
                PolicyRule(
                    origin: RuleOrigin(policy: reference, section: "rules", index: index, source: location),
                    subject: subject, direction: pick([.ingress, .egress]),
                    action: pick([.deny, .deny, .allow, .allow, .allow, .pass, .pass]),
                    peers: peers(), ports: portSelection(), isAudit: isAudit))
        }
        var closed: [DefaultDeny] = []
        for direction in Direction.allCases where chance(tier == .normal ? 60 : 15) {
            closed.append(DefaultDeny(subject: subject, direction: direction))
        }
        var policy = Policy(
            reference: reference, source: location, rules: rules, defaultDeny: closed, isAudit: isAudit,
            tier: tier, order: order)
        // Of its neighbour: no two are rehearsed in one's place.
        if isAudit, chance(50) {
            policy.standsInFor = PolicyReference(kind: "Random", namespace: "n", name: "p\(number ^ 1)")
        }
        return policy
    }

    /// Ports at and around every border that a rule can draw.
    static let probes: [(IPProtocol, UInt16?)] =
        [0, 79, 80, 81, 443, 1023, 1024, 1030, 1031, 2047, 8080, 65535].map { (.tcp, $0) }
        + [(.udp, 53), (.udp, 80), (.tcp, nil), (.icmp, 0x0800), (.icmp, 0x0300), (.sctp, 80), (.gre, nil)]

    private mutating func label(_ key: String, _ value: String) -> Label {
        Label(source: "k8s", key: key, value: value)
    }

    private mutating func labels() -> LabelSet {
        var labels = [label("app", pick(["a", "b", "c"]))]
        if chance(60) { labels.append(label("tier", pick(["x", "y"]))) }
        return LabelSet(labels)
    }

    private mutating func ports() -> NamedPorts {
        var ports = NamedPorts()
        if chance(60) { ports.numbers[NamedPort(proto: .tcp, name: "http")] = [pick([80, 80, 8080])] }
        if chance(25) { ports.numbers[NamedPort(proto: .tcp, name: "web")] = [pick([80, 443])] }
        return ports
    }

    private mutating func address() -> IPAddress {
        let host = UInt64.random(in: 0..<64, using: &random) << UInt64.random(in: 0..<4, using: &random)
        return chance(70)
            ? IPAddress(v4: 0x0a00_0000 | UInt32(host)) : IPAddress(high: 0xfd00_0000_0000_0000 | host >> 5, low: host)
    }

    private mutating func freshAddress() -> IPAddress {
        while true {
            let candidate = address()
            if !(parties + outsiders).contains(where: { $0.address == candidate }) { return candidate }
        }
    }

    private mutating func prefix() -> CIDR {
        let address = address()
        return CIDR(
            address,
            length: address.isIPv4 ? pick([0, 8, 23, 24, 26, 28, 30, 32]) : pick([0, 48, 63, 64, 122, 126, 128]))
    }

    private mutating func selector() -> LabelSelector {
        var requirements: [LabelRequirement] = []
        if chance(50) { requirements.append(LabelRequirement(key: "app", .isIn([pick(["a", "b", "c"]), "b"]))) }
        if chance(30) { requirements.append(LabelRequirement(source: "k8s", key: "tier", .isNotIn(["x"]))) }
        if chance(20) { requirements.append(LabelRequirement(key: "tier", chance(50) ? .exists : .doesNotExist)) }
        return LabelSelector(requirements)
    }

    private mutating func peers() -> PeerSelection {
        guard !chance(20) else { return .any }
        var selectors: [PeerSelector] = []
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let selector = peer()
            selectors.append(chance(75) ? selector : .narrowed(selector, condition()))
        }
        return .some(selectors)
    }

    private mutating func condition() -> PeerCondition {
        PeerCondition(
            within: chance(40) ? [prefix(), prefix()] : nil, outside: chance(50) ? [prefix()] : [],
            notLabels: chance(30) ? [selector()] : [], notGroups: chance(40) ? [group()] : [])
    }

    private mutating func group() -> LabelSelector {
        LabelSelector(chance(20) ? [] : [LabelRequirement(key: "list", .isIn([pick(["x", "y"])]))])
    }

    private mutating func peer() -> PeerSelector {
        if chance(50) { return .labels(chance(85) ? selector() : reserved()) }
        if chance(40) { return .group(group()) }
        let outer = prefix()
        var except: [CIDR] = []
        for _ in 0..<4 where chance(40) {
            let inner = prefix()
            if outer.contains(inner) { except.append(inner) }
        }
        return .prefix(outer, except: except, includesWorkloads: chance(50))
    }

    private mutating func reserved() -> LabelSelector {
        LabelSelector([LabelRequirement(source: "reserved", key: pick(["host", "world"]), .exists)])
    }

    private mutating func portSelection() -> PortSelection {
        guard !chance(25) else { return .all }
        var matches: [PortMatch] = []
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let choices: [PortMatch] = [
                .range(.tcp, 80...80), .range(.tcp, 0...65535), .range(.tcp, 80...1030), .range(.tcp, 1024...2047),
                .range(.tcp, 1...1), .range(.udp, 53...53), .named(.tcp, "http"), .named(.tcp, "nowhere"),
                .named(.tcp, "http"), .named(.tcp, "web"),
                .icmpType(.icmp, 8), .icmpType(.icmp, nil), .wholeProtocol(.gre), .range(.sctp, 80...81),
            ]
            matches.append(pick(choices))
        }
        return .some(matches)
    }
}

/// A small generator whose sequence depends on its seed only.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
