// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import PolicyModel
import PolicyReading

/// Reads what `nft -j list ruleset` prints.
struct NFTablesReading {
    private let file: String
    private var sets: [String: ConfigurationNode] = [:]

    static func read(_ input: FirewallImport.Input, into ruleset: inout ImportedRuleset) throws(ImportError) {
        let root: ConfigurationNode?
        do throws(ConfigurationError) {
            root = try ConfigurationNode.read(input.bytes, file: input.name)
        } catch {
            throw ImportError(file: input.name, line: error.location.line, message: error.message)
        }
        guard let objects = root?["nftables"]?.items else {
            throw ImportError(
                file: input.name, line: 1, message: "no list \"nftables\": give the output of nft -j list ruleset")
        }
        var reading = NFTablesReading(file: input.name)
        for object in objects {
            if let set = object["set"] ?? object["map"], let key = reading.key(set), let name = set["name"]?.text {
                reading.sets["\(key) \(name)"] = set["elem"]
            }
        }
        for object in objects { if let chain = object["chain"] { reading.readChain(chain, &ruleset) } }
        var count = 0
        for object in objects {
            guard let rule = object["rule"] else { continue }
            count += reading.readRule(rule, &ruleset)
            guard count <= IPTablesReading.ruleCountMax else {
                throw ImportError(
                    file: input.name, line: rule.location.line,
                    message: "more than \(IPTablesReading.ruleCountMax) rules, each element of a map of verdicts "
                        + "being one; list fewer tables")
            }
        }
    }

    private init(file: String) { self.file = file }

    private func key(_ node: ConfigurationNode) -> String? {
        guard let family = node["family"]?.text, let table = node["table"]?.text else { return nil }
        return "\(family) \(table)"
    }

    private static func families(_ name: String) -> Set<Int> {
        switch name {
        case "ip": [4]
        case "ip6": [6]
        case "inet": [4, 6]
        default: []
        }
    }

    private func place(_ node: ConfigurationNode, _ chain: String) -> RulePlace {
        let table = "\(node["family"]?.text ?? "?") \(node["table"]?.text ?? "?")"
        return RulePlace(file: file, line: node.location.line, table: table, chain: chain)
    }

    private func readChain(_ node: ConfigurationNode, _ ruleset: inout ImportedRuleset) {
        guard let name = node["name"]?.text, let family = node["family"]?.text else { return }
        let place = place(node, name)
        var chain = ImportedChain(
            table: place.table, name: name, families: NFTablesReading.families(family), place: place)
        let isFilter = node["type"]?.text == "filter"
        chain.hook = isFilter && !chain.families.isEmpty ? ImportedChain.Hook(rawValue: node["hook"]?.text ?? "") : nil
        chain.priority = node["prio"]?.number ?? 0
        chain.isAccepting = node["policy"]?.text != "drop"
        if chain.hook == nil, node["hook"] != nil { chain.elsewhere = NFTablesReading.reason(node) }
        if !chain.isAccepting, let reason = chain.elsewhere {
            ruleset.notMapped.append(ImportNote(place: place, rule: "policy drop", reason: reason))
        }
        ruleset.families.formUnion(chain.hook == nil ? [] : chain.families)
        ruleset.chains[chain.key] = chain
    }

    /// Why a chain is none of the host's own traffic.
    private static func reason(_ chain: ConfigurationNode) -> String {
        switch (chain["type"]?.text, chain["hook"]?.text) {
        case ("filter", "forward"):
            "forwarded traffic is not the host's own: write policies for the workloads that it is of"
        case ("nat", _), ("route", _): "it changes packets, it does not judge them; keep it where it is"
        case ("filter", "prerouting"), ("filter", "postrouting"):
            "its hook sees forwarded packets along with the host's own: move what is meant for the host to an input or "
                + "output chain"
        case ("filter", "input"), ("filter", "output"):
            "its family is not IP: policies judge IP packets only"
        default: "its hook sees frames at a device, of whomever: move what is meant for the host to an input chain"
        }
    }

    /// Returns how many rules it is: several where it has a map of verdicts.
    private func readRule(_ node: ConfigurationNode, _ ruleset: inout ImportedRuleset) -> Int {
        guard let chain = node["chain"]?.text, let family = node["family"]?.text else { return 1 }
        // Not `map` on what the handle holds: the optimiser of Swift 6.3.1 fails its own ownership check there.
        var name = chain
        if let handle = node["handle"]?.number { name += " handle \(handle)" }
        let comment = node["comment"]?.text.map { " \"\($0)\"" } ?? ""
        // A listing of one line: the handle tells rules apart.
        var place = place(node, name)
        place.line = node.location.line
        let expressions = node["expr"]?.items ?? []
        var rule = ImportedRule(
            place: place, text: expressions.map(NFTablesExpressions.text).joined(separator: " ") + comment)
        let key = ImportedChain.key(NFTablesReading.families(family), "\(family) \(node["table"]?.text ?? "?")", chain)
        let reader = NFTablesExpressions(sets: sets, table: self.key(node) ?? "")
        // What stands behind a map of verdicts is reached by nothing.
        let last = expressions.firstIndex { $0["vmap"] != nil }
        for expression in expressions[..<(last ?? expressions.count)] { reader.read(expression, into: &rule) }
        guard ruleset.chains[key] != nil else {
            ruleset.notMapped.append(
                ImportNote(place: place, rule: rule.text, reason: "its chain is not in the listing"))
            return 1
        }
        let rules = last.flatMap { reader.rules(ofMap: expressions[$0], in: rule) } ?? [rule]
        ruleset.chains[key]?.rules += rules
        return rules.count
    }
}

extension ConfigurationNode {
    /// A value of a mapping.
    subscript(name: String) -> ConfigurationNode? {
        guard case .mapping(let entries) = content else { return nil }
        return entries.first { $0.key == name }?.value
    }

    var items: [ConfigurationNode]? {
        if case .list(let items) = content { items } else { nil }
    }

    var text: String? {
        switch content {
        case .string(let text): text
        case .integer(let number): String(number)
        default: nil
        }
    }

    var number: Int? {
        if case .integer(let number) = content { number } else { nil }
    }

    /// The only entry of a mapping.
    var entry: Entry? {
        if case .mapping(let entries) = content, entries.count == 1 { entries[0] } else { nil }
    }
}
