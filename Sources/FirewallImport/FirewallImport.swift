// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import PolicyReading

/// Translates rules of iptables and nftables for the host itself into a policy with the same verdicts.
///
/// Nothing is passed over: what became no rule is listed with its reason.
package struct FirewallImport: Sendable {
    /// One file, as a tool printed it.
    package struct Input: Sendable {
        package var name: String
        package var bytes: [UInt8]

        package init(name: String, bytes: [UInt8]) {
            self.name = name
            self.bytes = bytes
        }
    }

    package struct Options: Sendable {
        /// The policy's name.
        package var name: String
        /// Of iptables rules: 4 or 6; nil: what the file says, else 4.
        package var family: Int?
        /// The device that the host endpoint judges; nil: rules about devices are not mapped.
        package var device: String?

        package init(name: String = "imported-firewall", family: Int? = nil, device: String? = nil) {
            self.name = name
            self.family = family
            self.device = device
        }
    }

    /// Lines of a YAML document, or of a comment if nothing is to be enforced.
    package private(set) var policy: [String] = []
    /// What a policy cannot say.
    package private(set) var notMapped: [ImportNote] = []
    /// What needs no rule, or means the same in other words.
    package private(set) var understood: [ImportNote] = []

    /// Throws the first thing that cannot be read.
    package init(_ inputs: [Input], options: Options = Options()) throws(ImportError) {
        var ruleset = ImportedRuleset()
        for input in inputs { try FirewallImport.read(input, options, into: &ruleset) }
        notMapped = ruleset.notMapped
        var sections: [String] = []
        var open: [String] = []
        var visited: [ImportedRule] = []
        var reached: Set<RulePlace> = []
        var chains: Set<String> = []
        for direction in [Direction.ingress, .egress] {
            var decisions: [Decision] = []
            var openFamilies: [Int] = []
            for family in [4, 6] {
                var match = FirstMatch(ruleset, direction, family: family, device: options.device)
                guard match.isJudged else {
                    openFamilies.append(family)
                    continue
                }
                try match.run()
                decisions = FirewallImport.merged(decisions, match.decisions)
                notMapped += match.notMapped
                understood += match.understood
                visited += match.visited
                reached.formUnion(match.reached)
                chains.formUnion(match.visitedChains)
            }
            let writing = PolicyWriting(direction, decisions, openFamilies: openFamilies)
            sections += writing.lines
            if !writing.lines.isEmpty, !writing.isClosing { open.append("\(direction): false") }
        }
        explainUnreached(visited, reached)
        explainFolded(visited, reached, sections)
        listUnvisited(ruleset, chains)
        notMapped = FirewallImport.unique(notMapped)
        let missing = Set(notMapped)
        understood = FirewallImport.unique(understood).filter { !missing.contains($0) }
        write(inputs.map(\.name), options, open, sections)
    }

    private static func read(
        _ input: Input, _ options: Options, into ruleset: inout ImportedRuleset
    ) throws(ImportError) {
        guard input.bytes.count <= YAMLLimits().byteCountMax else {
            throw ImportError(
                file: input.name, line: 1, message: "the file is larger than \(YAMLLimits().byteCountMax >> 20) MiB")
        }
        let first = input.bytes.first { ![0x20, 0x09, 0x0a, 0x0d].contains($0) }
        if first == UInt8(ascii: "{") { return try NFTablesReading.read(input, into: &ruleset) }
        let text = String(decoding: input.bytes, as: UTF8.self)
        guard first != nil else {
            throw ImportError(
                file: input.name, line: 1,
                message: "the file is empty; give the output of iptables-save or nft -j list ruleset")
        }
        let lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
        try IPTablesReading.read(lines, file: input.name, family: options.family, into: &ruleset)
    }

    /// What one rule decides for both families is one decision.
    private static func merged(_ first: [Decision], _ second: [Decision]) -> [Decision] {
        var result = first
        for decision in second {
            let same = result.firstIndex { $0.place == decision.place && $0.isAccepting == decision.isAccepting }
            if let same { result[same].boxes += decision.boxes } else { result.append(decision) }
        }
        return result
    }

    private mutating func explainUnreached(_ visited: [ImportedRule], _ reached: Set<RulePlace>) {
        let told = Set((notMapped + understood).map(\.place))
        for rule in visited where !reached.contains(rule.place) && !told.contains(rule.place) {
            understood.append(
                ImportNote(place: rule.place, rule: rule.text, reason: "rules before it decide all that it matches"))
        }
    }

    /// Rules that only take from what later ones decide stand in no section.
    private mutating func explainFolded(_ visited: [ImportedRule], _ reached: Set<RulePlace>, _ sections: [String]) {
        let named = Set(sections.lazy.filter { $0.hasPrefix("    # ") })
        let told = Set((notMapped + understood).map(\.place))
        for rule in visited where reached.contains(rule.place) && !told.contains(rule.place) {
            let comment = PolicyWriting.comment("\(rule.place.text): \(rule.text)")
            guard rule.verdict == .accept || rule.verdict == .drop, !named.contains("    # \(comment)") else {
                continue
            }
            let reason =
                rule.verdict == .drop
                ? "denied as everything that no element allows; what rules after it accept leaves it out"
                : "allowed as everything that no element denies; what rules after it deny leaves it out"
            understood.append(ImportNote(place: rule.place, rule: rule.text, reason: reason))
        }
    }

    private mutating func listUnvisited(_ ruleset: ImportedRuleset, _ visited: Set<String>) {
        for chain in ruleset.chains.values.sorted(by: { $0.key < $1.key }) where !visited.contains(chain.key) {
            for rule in chain.rules {
                notMapped.append(
                    ImportNote(
                        place: rule.place, rule: rule.text,
                        reason: chain.elsewhere ?? "no rule at input or output leads to its chain"))
            }
        }
    }

    private static func unique(_ notes: [ImportNote]) -> [ImportNote] {
        var seen: Set<ImportNote> = []
        return notes.filter { seen.insert($0).inserted }
            .sorted { ($0.place.file, $0.place.line, $0.reason) < ($1.place.file, $1.place.line, $1.reason) }
    }

    private mutating func write(_ files: [String], _ options: Options, _ open: [String], _ sections: [String]) {
        policy = [
            "# Imported by `bulkhead policy import iptables` from \(PolicyWriting.comment(files.joined(separator: ", "))).",
            "# It needs the host endpoint (hostEndpoint in the agent's configuration). Prefixes are peers outside: for workloads",
            "# of this host add elements with fromEndpoints or fromEntities: [cluster].",
        ]
        if !notMapped.isEmpty { policy += ["#", "# NOT MAPPED:"] + notMapped.map(FirewallImport.line) }
        if !understood.isEmpty {
            policy += ["#", "# Without a rule of its own:"] + understood.map(FirewallImport.line)
        }
        guard !sections.isEmpty else {
            policy += ["#", "# Nothing is denied to or from this host: there is no policy to write."]
            return
        }
        policy += [
            "apiVersion: cilium.io/v2", "kind: CiliumClusterwideNetworkPolicy", "metadata:", "  name: \(options.name)",
            "spec:", "  nodeSelector: {}",
        ]
        if !open.isEmpty { policy.append("  enableDefaultDeny: {\(open.joined(separator: ", "))}") }
        policy += sections
    }

    private static func line(_ note: ImportNote) -> String { "#   \(PolicyWriting.comment(note.text))" }
}
