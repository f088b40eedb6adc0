// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import PolicyModel

/// Reads DNS names and patterns of names.
enum NameReading {
    /// One name; nil after an error.
    static func name(_ field: Field) -> NameSelector? {
        guard let text = field.string() else { return nil }
        guard let name = DomainName(text) else {
            let hasStar = text.contains("*")
            field.error(
                .invalidDomainName, "\(field.quoted) is not a DNS name",
                remedy: hasStar
                    ? "write it as matchPattern" : "write one like www.example.org: letters, digits, `-`, `_`, dots")
            return nil
        }
        return NameSelector(.exact, name)
    }

    /// A pattern in Cilium's language: stars alone are every name; a `*` is any characters of a label, a first label
    /// `**` one or more labels; nil after an error.
    static func pattern(_ field: Field) -> NameSelector? {
        guard let text = field.string() else { return nil }
        // Spaces around it are cut off, as Cilium does.
        let trimmed = text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()
        let body = trimmed.last == "." ? String(trimmed.dropLast()) : String(trimmed)
        guard body.contains(where: { $0 != "*" }) || body.isEmpty else { return .all }
        var labels = body.split(separator: ".", omittingEmptySubsequences: false).map { NameGlob.starsJoined($0) }
        if body.hasPrefix("**"), labels.first == "*" { labels[0] = "**" }
        if let selector = NameSelector(labels.joined(separator: ".")) { return selector }
        return refuse(field, labels)
    }

    private static func refuse(_ field: Field, _ labels: [String]) -> NameSelector? {
        let fixed = labels.map { $0.filter { $0 != "*" } }.map { $0.isEmpty ? "x" : $0 }
        guard labels.contains(where: { $0.contains("*") }), !labels.contains(""),
            DomainName(fixed.joined(separator: ".")) != nil
        else {
            field.error(
                .invalidDomainName, "\(field.quoted) is not a pattern of DNS names",
                remedy: "write one like *.example.org: letters, digits, `-`, `_`, dots and `*`")
            return nil
        }
        field.error(
            .unsupportedFQDN,
            "pattern \(field.quoted) has more than \(NameGlob.stateCountMax - 1) characters up to the end of its last label "
                + "with a `*`, not counting the stars", remedy: "put a `*` for the longest of these labels")
        return nil
    }

    /// A name in Calico's language: a label that is `*`, one at most, is one or more labels; nil after an error.
    static func calicoName(_ field: Field) -> NameSelector? {
        guard let text = field.string() else { return nil }
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        let stars = labels.filter { $0.contains("*") }
        let wild = labels.map { $0 == "*" ? "**" : $0 }
        if stars.isEmpty || stars == ["*"], let selector = NameSelector(wild.joined(separator: ".")) {
            warnOfAddress(field, text) { "write it in `nets`, as \($0)" }
            return selector
        }
        field.error(
            .invalidDomainName, "\(field.quoted) is not a DNS name or pattern of Calico",
            remedy: "write one like www.example.org; one whole label may be a `*`, as in *.example.org")
        return nil
    }

    /// A name in the language of the admin policies: a leading `*.` stands for any depth; nil after an error.
    static func adminName(_ field: Field) -> NameSelector? {
        guard let text = field.string() else { return nil }
        let isPattern = text.hasPrefix("*.")
        guard let name = DomainName(isPattern ? text.dropFirst(2) : text[...]) else {
            field.error(
                .invalidDomainName, "\(field.quoted) is not a DNS name",
                remedy: "write one like www.example.org, or *.example.org for all names below it")
            return nil
        }
        warnOfAddress(field, text) { "write it in `networks`, as \($0)" }
        return NameSelector(isPattern ? .deep : .exact, name)
    }

    /// Says so where the name is an address, which no resolver is asked for.
    ///
    /// `remedy`: where the dialect has its prefix.
    static func warnOfAddress(_ field: Field, _ text: String, remedy: (CIDR) -> String) {
        guard let address = IPAddress(text) else { return }
        field.report(
            .warning, .addressAsName, "\(field.quoted) is an address: as a DNS name it means nobody",
            remedy: remedy(CIDR(host: address)))
    }

    private static func selectors(of rule: PolicyRule) -> [PeerSelector] {
        guard case .some(let selectors) = rule.peers else { return [] }
        return selectors
    }

    /// Names with the places where they are meant.
    private static func named(_ policy: Policy) -> [(selector: NameSelector, source: SourceLocation)] {
        policy.rules.flatMap { rule in
            selectors(of: rule).compactMap(\.domainName).map { ($0, rule.origin.source) }
        } + (policy.prefixGroup?.names ?? []).map { ($0, policy.source) }
    }

    /// An error for the first rule or set of each that names one more pattern with a `*` inside than are looked for below one name.
    static func crowdedPatterns(_ policies: [Policy]) -> [Diagnostic] {
        var found: [DomainName: Set<NameGlob>] = [:]
        var told: [Diagnostic] = []
        for (selector, source) in policies.flatMap(named) {
            guard let glob = selector.glob, found[selector.name, default: []].insert(glob).inserted,
                found[selector.name]?.count == NameGlob.countMax + 1
            else { continue }
            told.append(
                Diagnostic(
                    severity: .error, code: .tooMany, location: source,
                    message:
                        "more than \(NameGlob.countMax) patterns with a `*` inside a label end in \(selector.name)",
                    remedy: "use wider patterns, or `*.` and `**.` before a name"))
        }
        return told
    }
}
