// SPDX-License-Identifier: Apache-2.0

import NetworkModel

/// Addresses of the other side, and kinds of traffic.
struct TrafficBox: Hashable, Sendable {
    var prefix: CIDR
    var ports: PortSpace
}

/// A box whose addresses are a prefix without some smaller ones: what many rules have taken their parts of stays small.
private struct FlowBox {
    var prefix: CIDR
    /// Inside the prefix.
    var gaps: [CIDR]
    var ports: PortSpace

    var isEmpty: Bool { gaps.contains { $0.contains(prefix) } }

    func narrowed(to other: CIDR) -> FlowBox {
        FlowBox(prefix: other, gaps: gaps.filter(other.overlaps), ports: ports)
    }

    var boxes: [TrafficBox] { prefix.subtracting(gaps).map { TrafficBox(prefix: $0, ports: ports) } }
}

/// What one rule, or the end of a chain, decides by itself: after all rules before it.
struct Decision: Sendable {
    var place: RulePlace
    var text: String
    var isAccepting: Bool
    /// Disjoint from each other and from those of every other decision.
    var boxes: [TrafficBox]
}

/// Works out who is decided by which rule where the first match wins, for packets that open a flow.
///
/// Exact: traffic is cut into boxes of addresses and ports, and each rule takes its part of what the rules before it left.
struct FirstMatch {
    private let ruleset: ImportedRuleset
    private let direction: Direction
    private let family: Int
    private let device: String?
    private(set) var decisions: [Decision] = []
    private(set) var notMapped: [ImportNote] = []
    private(set) var understood: [ImportNote] = []
    /// Rules that something reached, and those that could have been reached.
    private(set) var reached: Set<RulePlace> = []
    private(set) var visited: [ImportedRule] = []
    private(set) var visitedChains: Set<String> = []

    private var work = 0

    /// Of the answer; and of boxes and gaps to look at on the way to it.
    private static let boxCountMax = 200_000
    private static let workMax = 6_000_000
    private static let depthMax = 32

    /// `device`: the only device of the host endpoint; nil: unknown.
    init(_ ruleset: ImportedRuleset, _ direction: Direction, family: Int, device: String?) {
        self.ruleset = ruleset
        self.direction = direction
        self.family = family
        self.device = device
    }

    /// True if there is a chain for this direction and family.
    var isJudged: Bool { !baseChains.isEmpty }

    private var baseChains: [ImportedChain] {
        ruleset.chains.values.filter {
            $0.hook == (direction == .ingress ? .input : .output) && $0.families.contains(family)
        }.sorted { ($0.priority, $0.key) < ($1.priority, $1.key) }
    }

    /// A packet must be accepted by every chain at its hook, one after the other.
    mutating func run() throws(ImportError) {
        var flow = [FlowBox(prefix: family == 4 ? .allIPv4 : .allIPv6, gaps: [], ports: .all(family: family))]
        let chains = baseChains
        for (index, chain) in chains.enumerated() {
            let rest = try walk(chain, flow, depth: 0)
            try decide(chain.place, "policy \(chain.isAccepting ? "ACCEPT" : "DROP")", chain.isAccepting, rest)
            guard index + 1 < chains.count else { break }
            // What this chain accepts goes on to the next one.
            flow = decisions.filter(\.isAccepting).flatMap(\.boxes).map {
                FlowBox(prefix: $0.prefix, gaps: [], ports: $0.ports)
            }
            decisions.removeAll(where: \.isAccepting)
        }
    }

    /// What falls off the end of the chain.
    private mutating func walk(
        _ chain: ImportedChain, _ entering: [FlowBox], depth: Int
    ) throws(ImportError) -> [FlowBox] {
        guard depth < FirstMatch.depthMax else {
            throw ImportError(
                file: chain.place.file, line: chain.place.line,
                message: "chain \(chain.name) is entered through more than \(FirstMatch.depthMax) others: is it a loop?"
            )
        }
        visitedChains.insert(chain.key)
        var flow = entering
        var leaving: [FlowBox] = []
        for rule in chain.rules {
            visited.append(rule)
            guard isKnown(rule, in: chain), let match = match(rule) else { continue }
            let (hit, rest) = split(flow, match.addresses, match.ports)
            guard work <= FirstMatch.workMax else { throw FirstMatch.tooMuch(rule.place) }
            if !hit.isEmpty { reached.insert(rule.place) }
            switch rule.verdict {
            case .accept, .drop:
                try decide(rule.place, rule.text, rule.verdict == .accept, hit)
                flow = rest
            case .return:
                leaving += hit
                flow = rest
            case .proceed: continue
            case .jump(let name), .goto(let name):
                let key = ImportedChain.key(chain.families, chain.table, name)
                guard let target = ruleset.chains[key] else { continue }
                let back = hit.isEmpty ? [] : try walk(target, hit, depth: depth + 1)
                if hit.isEmpty { visitedChains.insert(key) }
                if case .goto = rule.verdict { leaving += back } else { flow = rest + back }
                if case .goto = rule.verdict { flow = rest }
            }
        }
        return leaving + flow
    }

    private mutating func decide(
        _ place: RulePlace, _ text: String, _ isAccepting: Bool, _ flow: [FlowBox]
    ) throws(ImportError) {
        let boxes = flow.flatMap(\.boxes)
        work += boxes.count
        guard boxes.count <= FirstMatch.boxCountMax else { throw FirstMatch.tooMuch(place) }
        guard !boxes.isEmpty else { return }
        decisions.append(Decision(place: place, text: text, isAccepting: isAccepting, boxes: boxes))
    }

    private static func tooMuch(_ place: RulePlace) -> ImportError {
        ImportError(
            file: place.file, line: place.line,
            message: "the rules up to here cut addresses into too many parts; import fewer rules at once")
    }

    /// The part of a flow that a rule speaks of, and the rest.
    private mutating func split(
        _ flow: [FlowBox], _ addresses: [CIDR]?, _ ports: PortSpace
    ) -> (hit: [FlowBox], rest: [FlowBox]) {
        var hit: [FlowBox] = []
        var rest: [FlowBox] = []
        for box in flow {
            let common = box.ports.intersection(ports)
            let inside = (addresses ?? [box.prefix]).compactMap { prefix -> FlowBox? in
                guard prefix.overlaps(box.prefix) else { return nil }
                let part = prefix.contains(box.prefix) ? box : box.narrowed(to: prefix)
                return part.isEmpty ? nil : part
            }
            work += 1 + box.gaps.count + (addresses?.count ?? 0)
            guard !common.isEmpty, !inside.isEmpty else {
                rest.append(box)
                continue
            }
            let others = box.ports.subtracting(common)
            for var part in inside {
                part.ports = common
                hit.append(part)
                part.ports = others
                if !others.isEmpty { rest.append(part) }
            }
            var outside = box
            outside.gaps =
                outside.gaps.filter { gap in !inside.contains { $0.prefix.contains(gap) } } + inside.map(\.prefix)
            if !outside.isEmpty { rest.append(outside) }
        }
        return (hit, rest)
    }

    /// False, and told, if it leads to a target that is no chain.
    private mutating func isKnown(_ rule: ImportedRule, in chain: ImportedChain) -> Bool {
        let name: String
        switch rule.verdict {
        case .jump(let target), .goto(let target): name = target
        default: return true
        }
        let key = ImportedChain.key(chain.families, chain.table, name)
        if let target = ruleset.chains[key], target.hook == nil { return true }
        refuse(rule, "target \(name) has no counterpart in policies")
        return false
    }

    // MARK: What a rule means here

    private mutating func refuse(_ rule: ImportedRule, _ reason: String) {
        let consequence =
            rule.verdict == .accept
            ? "; what it accepts is judged by the rules after it"
            : rule.verdict == .drop ? "; what it denies is judged by the rules after it" : ""
        notMapped.append(ImportNote(place: rule.place, rule: rule.text, reason: reason + consequence))
    }

    private mutating func explain(_ rule: ImportedRule, _ reason: String) {
        understood.append(ImportNote(place: rule.place, rule: rule.text, reason: reason))
    }

    /// What it matches of packets that open a flow; nil: nothing, which was told.
    private mutating func match(_ rule: ImportedRule) -> (addresses: [CIDR]?, ports: PortSpace)? {
        if rule.verdict == .proceed, !rule.isDecidedElsewhere {
            explain(rule, "it decides nothing: flows are recorded with the rule that does (bulkhead observe)")
            return nil
        }
        guard rule.problems.isEmpty else {
            refuse(rule, rule.problems.joined(separator: "; "))
            return nil
        }
        guard isOfOpeningPackets(rule), isOfDevice(rule) else { return nil }
        let (peer, own) = direction == .ingress ? (rule.source, rule.destination) : (rule.destination, rule.source)
        if let own, !own.prefixes(family: family).contains(where: { $0.length == 0 }) {
            // A rule for the other family says nothing here.
            if own.prefixes(family: family).isEmpty { return nil }
            refuse(rule, "a policy of the host does not tell the host's own addresses apart")
            return nil
        }
        if rule.isRejecting { explain(rule, "mapped, but without an answer: what is denied is dropped") }
        let addresses = peer.map { AddressSpace.merged($0.prefixes(family: family)) }
        return (PrefixSet(addresses ?? []).isWhole(family) ? nil : addresses, rule.ports ?? .all)
    }

    private mutating func isOfOpeningPackets(_ rule: ImportedRule) -> Bool {
        if let states = rule.states, !states.contains(.new) {
            if rule.verdict == .accept, states.isSubset(of: [.established, .related]) {
                explain(rule, "replies and related packets need no rule")
            } else {
                refuse(rule, "policies judge packets that open a flow, not those of known or invalid ones")
            }
            return false
        }
        if rule.isOpening == false {
            refuse(rule, "policies judge packets that open a flow, and this rule is about the others")
            return false
        }
        return true
    }

    private mutating func isOfDevice(_ rule: ImportedRule) -> Bool {
        guard let named = direction == .ingress ? rule.inDevice : rule.outDevice else { return true }
        if named.name == "lo" {
            // The host endpoint judges other devices only.
            guard !named.isNegated else { return true }
            if rule.verdict == .drop {
                refuse(rule, "what the host sends to itself is not judged")
            } else {
                explain(rule, "what the host sends to itself is not judged")
            }
            return false
        }
        guard let device else {
            refuse(rule, "policies do not tell devices apart: say with --device which one is the host endpoint's")
            return false
        }
        let isThis = named.name.hasSuffix("+") ? device.hasPrefix(named.name.dropLast()) : device == named.name
        guard isThis == named.isNegated else { return true }
        refuse(rule, "it is about a device other than \(device)")
        return false
    }
}

extension PrefixSet {
    /// True if it is every address of a family.
    fileprivate func isWhole(_ family: Int) -> Bool { contains(family == 4 ? CIDR.allIPv4 : .allIPv6) }
}
