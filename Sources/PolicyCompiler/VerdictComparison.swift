// SPDX-License-Identifier: Apache-2.0

import IdentityModel
package import NetworkModel
package import PolicyModel

/// Finds the flows whose verdict a change of policies changes, by asking the `Explainer` before and after.
///
/// Only policies that differ can make a difference, so only flows from or to what they select are looked at. Parties
/// that no policy can tell apart are judged once.
package struct VerdictComparison: Sendable {
    /// Somebody who may send or receive.
    package struct Party: Hashable, Sendable {
        /// As people know it.
        package var name: String
        package var side: ExplainedSide
        /// The same one afterwards: documents may give it other labels and names of ports.
        package var after: ExplainedSide

        /// `after` nil: as before.
        package init(name: String, side: ExplainedSide, after: ExplainedSide? = nil) {
            self.name = name
            self.side = side
            self.after = after ?? side
        }
    }

    /// A verdict that changes, for some kinds of traffic between two parties.
    package struct Change: Hashable, Sendable {
        package var from: String
        package var to: String
        /// `tcp/5432`, `everything but udp/53`.
        package var traffic: String
        package var atoms: [TrafficAtom]
        package var before: Explanation.Verdict
        package var after: Explanation.Verdict
        /// What decides afterwards; nil: no policy does any more.
        package var cause: RuleDescription?
        /// The one whose policies decide.
        package var decider: String
        /// Where one of the two is no party but what a stage of the host judges; nil: two parties.
        package var passage: Passage? = nil

        /// `by NetworkPolicy/shop/db ingress[0]`, `because no ingress rule of NetworkPolicy/shop/db allows it`.
        package var reason: String {
            switch cause {
            case .defaultDeny?: "because \(cause?.nameText ?? "") allows it"
            case .some(let cause): "by \(cause.nameText)"
            case nil: "because no policy selects \(decider) in this direction"
            }
        }
    }

    /// One end of a change that is a stage of the host.
    package struct Passage: Hashable, Sendable {
        package var stage: HostStage
        /// Ingress: the other end sends.
        package var direction: Direction

        package init(_ stage: HostStage, _ direction: Direction) {
            self.stage = stage
            self.direction = direction
        }
    }

    /// What was found.
    package struct Result: Hashable, Sendable {
        /// In the order of the parties, no more than asked for.
        package var changes: [Change] = []
        /// How many there are together.
        package var total = 0
        /// Pairs of parties that were not looked at, because it would have taken too long: what changes between them is not
        /// known.
        package var unjudgedPairs = 0
        /// Questions that it took.
        package var judgements = 0
    }

    /// What somebody is before and after the change.
    private struct Sides: Hashable {
        var before: ExplainedSide
        var after: ExplainedSide

        /// For one of which it does not matter when.
        init(_ side: ExplainedSide) { (before, after) = (side, side) }

        init(_ party: Party) { (before, after) = (party.side, party.after) }
    }

    /// Parties that are judged alike.
    private struct Crowd {
        var sides: Sides
        var names: [String]
        /// Selected by a policy that differs, or given something else.
        var isTouched: Bool
        var before: Explainer
        var after: Explainer
        /// Rules that select it, before or after.
        var rules: [PolicyRule]
        /// Stands for addresses known by name, which nobody is when he sends.
        var isNamed = false

        var isStage: Bool { sides.before.stage != nil }

        /// The host and none of its services.
        var isHost: Bool { sides.before.isHost && !sides.before.isService && !isStage }

        /// A workload of another host.
        var isRemote: Bool { sides.before.isWorkload && !sides.before.isEndpoint && !sides.before.isHost }
    }

    private var crowds: [Crowd] = []
    /// Labels of all groups: services among them have ports.
    private let groups: [LabelSet]
    private let namedGroups: NamedGroups
    /// More networks are not looked at, nor more names: nobody would read it.
    private static let networksMax = 64
    private var unjudgedNetworks = 0
    /// The networks outside that are looked at, each without those inside it.
    package private(set) var networks: [CIDR] = []
    private let judgementsMax: Int
    /// Hosts are on nodes of their own, and exchange packets as workloads do.
    private let hostsAreApart: Bool

    /// Prepares for the parties of a host and the networks that policies name.
    ///
    /// `hostsAreApart`: true if parties that are hosts are different ones, and pairs of them are to be told; else another host
    /// is somebody outside. `judgementsMax`: questions to the explainer; beyond it pairs are counted and not judged.
    package init(
        before: [Policy], after: [Policy], parties: [Party], options: CompileOptions = CompileOptions(),
        hostsAreApart: Bool = false, judgementsMax: Int = 400_000
    ) {
        self.hostsAreApart = hostsAreApart
        self.judgementsMax = judgementsMax
        groups = Set((before + after).compactMap(\.prefixGroup?.labels)).sorted { "\($0)" < "\($1)" }
        namedGroups = NamedGroups(before + after)
        let differing = VerdictComparison.differing(Set(before.map(\.judging)), Set(after.map(\.judging)))
        // Only where addresses of workloads are matched do they tell workloads apart.
        let matchesAddresses = (before + after).contains { $0.rules.contains(where: \.namesWorkloadAddresses) }
        let old = SubjectUsers(before), new = SubjectUsers(after)
        var indices: [Sides: Int] = [:]
        for party in parties + VerdictComparison.stages(of: parties, before + after) {
            var key = Sides(party)
            if !matchesAddresses { (key.before.address, key.after.address) = (nil, nil) }
            if let index = indices[key] {
                crowds[index].names.append(party.name)
                continue
            }
            indices[key] = crowds.count
            let isEndpoint = key.before.isEndpoint
            let mine = isEndpoint ? old.policies(for: key.before) : []
            let later = isEndpoint ? new.policies(for: key.after) : []
            let rules = mine.flatMap(\.rules).filter { $0.subject.selectsOrMeets(key.before) }
            crowds.append(
                Crowd(
                    sides: key, names: [party.name],
                    isTouched: key.before != key.after
                        || isEndpoint && differing.contains { $0.selects(key.before) || $0.selects(key.after) },
                    before: Explainer(policies: mine, options: options),
                    after: Explainer(policies: later, options: options),
                    rules: Array(Set(rules + later.flatMap(\.rules).filter { $0.subject.selectsOrMeets(key.after) }))))
        }
        addWorld(
            (before + after).compactMap(\.prefixGroup).flatMap(\.prefixes),
            namesFirst: Set(differing.flatMap(\.names)), words: NameWording(before + after))
    }

    /// What policies are about besides the host's own connections, as parties: what passes through.
    ///
    /// Policies without flows are asked ahead of the host and of that, and make no party by themselves.
    private static func stages(of parties: [Party], _ policies: [Policy]) -> [Party] {
        guard policies.contains(where: { !$0.stages.isEmpty }) else { return [] }
        return parties.filter { $0.side.isHost && $0.side.isEndpoint && !$0.side.isService }.map { host in
            let ofOne = host.name == "host" ? "" : " (\(host.name))"
            return Party(
                name: HostStage.forward.title + ofOne, side: host.side.at(.forward), after: host.after.at(.forward))
        }
    }

    /// The policies that judge otherwise, as `judging`; where a tier or a group of prefixes does, also those that rely on
    /// it.
    private static func differing(_ old: Set<Policy>, _ new: Set<Policy>) -> [Policy] {
        let changed = old.symmetricDifference(new)
        let replaced = changed.replaced
        let differing =
            replaced.isEmpty ? changed : changed.union(old.union(new).filter { replaced.contains($0.reference) })
        let areTiersOther = differing.contains { $0.definedTier != nil } || TierLine(of: old) != TierLine(of: new)
        let areGroupsOther = differing.contains { $0.prefixGroup != nil }
        guard areTiersOther || areGroupsOther else { return Array(differing) }
        return old.union(new).filter { policy in
            differing.contains(policy) || areTiersOther && (policy.tier != .normal || policy.order != .together)
                || areGroupsOther && policy.rules.contains { $0.peers.selectors.contains(where: \.namesGroups) }
        }
    }

    /// Everybody outside, and of the networks and names that rules in question name one address each.
    ///
    /// `namesFirst`: those of policies that differ.
    private mutating func addWorld(_ inGroups: [CIDR], namesFirst: Set<NameSelector>, words: NameWording) {
        let rules = crowds.filter { $0.isTouched && $0.sides.before.isEndpoint }.flatMap(\.rules)
        let namesGroups = rules.contains { $0.peers.selectors.contains(where: \.namesGroups) }
        let prefixes = Set(rules.flatMap(\.prefixes) + (namesGroups ? inGroups : [])).sorted()
        func add(_ name: String, _ side: ExplainedSide, isNamed: Bool = false) {
            let none = Explainer(policies: [])
            crowds.append(
                Crowd(
                    sides: Sides(side), names: [name], isTouched: false, before: none, after: none, rules: [],
                    isNamed: isNamed)
            )
        }
        // An address of a party's own would be judged as that party reaching itself.
        let taken = crowds.compactMap(\.sides.before.address).map { CIDR(host: $0) }
        add("world", .world(nil))
        let names = rules.reduce(into: Set<NameSelector>()) { $0.formUnion(namedGroups.names(of: $1)) }
        let chosen = (names.intersection(namesFirst).sorted() + names.subtracting(namesFirst).sorted())
            .prefix(VerdictComparison.networksMax)
        unjudgedNetworks = max(0, prefixes.count - VerdictComparison.networksMax) + names.count - chosen.count
        for prefix in prefixes.prefix(VerdictComparison.networksMax) {
            let smaller = prefixes.prefix(1000).filter { $0 != prefix && prefix.contains($0) }
            guard let address = prefix.subtracting(smaller + taken).first?.address else { continue }
            networks.append(prefix)
            add("world \(prefix)", .world(address))
        }
        for named in NamedWorld.all(chosen, of: names, prefixes: Array(prefixes.prefix(1000)), words: words) {
            add(named.text, named.side, isNamed: true)
        }
    }

    /// Looks at every pair; at those with workloads of other hosts last, for there may be very many.
    package func run(limit: Int) -> Result {
        var result = Result()
        // Each of them would have been a pair with every party, at least.
        result.unjudgedPairs = unjudgedNetworks * crowds.filter(\.isTouched).reduce(0) { $0 + $1.names.count }
        for areRemote in [false, true] where !areRemote || crowds.contains(where: \.isRemote) {
            for source in crowds where !source.isNamed {
                for destination in crowds
                where (source.isTouched || destination.isTouched)
                    && (source.isRemote || destination.isRemote) == areRemote
                {
                    look(source, destination, limit: limit, &result)
                }
            }
        }
        return result
    }

    /// Looks at what one crowd sends to another, if there are questions left for it.
    private func look(_ source: Crowd, _ destination: Crowd, limit: Int, _ result: inout Result) {
        // Another host is somebody outside to this one; what passes between two of whom none is here it does not judge.
        guard hostsAreApart || !source.isHost || !destination.isHost else { return }
        guard source.sides.before.isEndpoint || destination.sides.before.isEndpoint else { return }
        let passage = VerdictComparison.passage(source, destination)
        guard passage != nil || !source.isStage && !destination.isStage else { return }
        guard result.judgements < judgementsMax else {
            result.unjudgedPairs += VerdictComparison.pairCount(source, destination)
            return
        }
        let pairs = VerdictComparison.pairs(source, destination)
        guard !pairs.isEmpty else { return }
        let atoms = TrafficAtom.all(keys(source, destination))
        guard result.judgements + atoms.count * 2 <= judgementsMax else {
            // Nothing smaller is looked at any more either: what is left out would be hard to say.
            result.judgements = judgementsMax
            result.unjudgedPairs += pairs.count
            return
        }
        result.judgements += atoms.count * 2
        for group in groups(source, destination, atoms) {
            result.total += pairs.count
            for (from, to) in pairs.prefix(max(0, limit - result.changes.count)) {
                result.changes.append(
                    Change(
                        from: from, to: to, traffic: TrafficAtom.text(group.atoms, of: atoms), atoms: group.atoms,
                        before: group.before, after: group.after, cause: group.cause,
                        decider: group.isIngress ? to : from, passage: passage))
            }
        }
    }

    /// A stage and somebody whom it is asked about; nil: no such pair.
    private static func passage(_ source: Crowd, _ destination: Crowd) -> Passage? {
        let (from, to) = (source.sides.before, destination.sides.before)
        if let stage = to.stage, to.isAsked(about: from) { return Passage(stage, .ingress) }
        // Rules about a stage have no names: addresses that have one are told as their networks.
        if let stage = from.stage, from.isAsked(about: to), !destination.isNamed { return Passage(stage, .egress) }
        return nil
    }

    /// What rules at both ends tell apart.
    private func keys(_ source: Crowd, _ destination: Crowd) -> [PortKey] {
        var keys: [PortKey] = []
        let sides = Set([destination.sides.before, destination.sides.after])
        for rule in source.rules where rule.direction == .egress {
            keys += sides.flatMap { rule.portKeys($0.sharedPorts, groups: groups) }
        }
        for rule in destination.rules where rule.direction == .ingress {
            keys += sides.flatMap { rule.portKeys($0.namedPorts) }
        }
        return keys + source.sides.before.openPorts.union(destination.sides.before.openPorts).map(\.key)
    }

    private static func pairs(_ source: Crowd, _ destination: Crowd) -> [(String, String)] {
        source.names.flatMap { from in destination.names.filter { $0 != from }.map { (from, $0) } }
    }

    /// How many `pairs` there are; nobody is in two crowds.
    private static func pairCount(_ source: Crowd, _ destination: Crowd) -> Int {
        let all = source.names.count * destination.names.count
        return source.sides == destination.sides ? all - source.names.count : all
    }

    private struct Group {
        var atoms: [TrafficAtom]
        var before: Explanation.Verdict
        var after: Explanation.Verdict
        var cause: RuleDescription?
        var isIngress: Bool
    }

    private func groups(_ source: Crowd, _ destination: Crowd, _ atoms: [TrafficAtom]) -> [Group] {
        var groups: [Group] = []
        for atom in atoms {
            let before = judge(
                source.sides.before, source.before, destination.sides.before, destination.before, atom)
            let after = judge(source.sides.after, source.after, destination.sides.after, destination.after, atom)
            let (old, new) = (VerdictComparison.verdict(before), VerdictComparison.verdict(after))
            guard old != new else { continue }
            // The side that says it now; of two that say the same, the one that did not before.
            let isIngress =
                after.ingress.map {
                    $0.verdict == new && (before.ingress?.verdict != new || after.egress?.verdict != new)
                }
                ?? false
            let cause = (isIngress ? after.ingress : after.egress)?.cause
            if let index = groups.firstIndex(where: {
                $0.before == old && $0.after == new && $0.cause == cause && $0.isIngress == isIngress
            }) {
                groups[index].atoms.append(atom)
            } else {
                groups.append(Group(atoms: [atom], before: old, after: new, cause: cause, isIngress: isIngress))
            }
        }
        return groups
    }

    private typealias Judgement = (egress: Explanation.Side?, ingress: Explanation.Side?)

    private func judge(
        _ source: ExplainedSide, _ atSource: Explainer, _ destination: ExplainedSide, _ atDestination: Explainer,
        _ atom: TrafficAtom
    ) -> Judgement {
        let (proto, port) = atom.sample
        // Two of one crowd have different addresses, though the crowd shows one.
        var (from, to) = (source, destination)
        if from == to { (from.address, to.address) = (nil, nil) }
        return (
            from.isAsked(about: to)
                ? atSource.explain(at: from, peer: to, direction: .egress, proto: proto, port: port) : nil,
            to.isAsked(about: from)
                ? atDestination.explain(at: to, peer: from, direction: .ingress, proto: proto, port: port) : nil
        )
    }

    private static func verdict(_ sides: Judgement) -> Explanation.Verdict {
        let verdicts = [sides.egress?.verdict, sides.ingress?.verdict]
        return verdicts.contains(.deny) ? .deny : verdicts.contains(.audit) ? .audit : .allow
    }
}

/// Policies by whom they are about: a selector is asked once, however many rules and policies have it.
private struct SubjectUsers {
    private let policies: [Policy]
    private var users: [SubjectSelector: [Int]] = [:]
    private var always: Set<Int> = []

    init(_ policies: [Policy]) {
        self.policies = policies
        for (index, policy) in policies.enumerated() {
            if policy.concernsOthers { always.insert(index) }
            for subject in Set(policy.rules.map(\.subject) + policy.defaultDeny.map(\.subject)) {
                users[subject, default: []].append(index)
            }
        }
    }

    /// Those that have a say about an endpoint, or about what other policies mean, in their order.
    func policies(for side: ExplainedSide) -> [Policy] {
        var indices = always
        for (subject, users) in users where subject.selectsOrMeets(side) { indices.formUnion(users) }
        return indices.sorted().map { policies[$0] }
    }
}

extension Policy {
    /// What it judges by: neither where it stands, nor what its author knows, nor until when it holds.
    fileprivate var judging: Policy {
        var judging = meaning
        judging.lintExemptions = [:]
        judging.validUntil = nil
        return judging
    }

    /// True if the policy has a say about what other policies mean.
    fileprivate var concernsOthers: Bool { definedTier != nil || prefixGroup != nil || standsInFor != nil }

    fileprivate func selects(_ side: ExplainedSide) -> Bool {
        rules.contains { $0.subject.selectsOrMeets(side) } || defaultDeny.contains { $0.subject.selectsOrMeets(side) }
    }
}

extension SubjectSelector {
    /// True if the subject is the side, or what is asked ahead of it at the host's devices.
    fileprivate func selectsOrMeets(_ side: ExplainedSide) -> Bool {
        selects(side) || side.isHost && kind == .stage(.untracked) && selects(side.at(.untracked))
    }
}

extension PolicyRule {
    /// Every network a rule tells apart.
    fileprivate var prefixes: [CIDR] {
        peers.selectors.flatMap(\.prefixes).map(\.prefix)
    }

    fileprivate var namesWorkloadAddresses: Bool {
        peers.selectors.contains { $0.prefixes.contains(where: \.includesWorkloads) || $0.namesGroups }
    }
}

extension PeerSelector {
    /// True if groups of prefixes are part of what it selects.
    fileprivate var namesGroups: Bool {
        switch self {
        case .group, .groupNames: true
        case .labels, .prefix, .name: false
        case .narrowed(let selector, let condition): selector.namesGroups || !condition.notGroups.isEmpty
        }
    }
}

extension OpenPort {
    fileprivate var key: PortKey { PortKey(proto: proto.rawValue, port: port, prefixLength: 16) }
}
