// SPDX-License-Identifier: Apache-2.0

package import IdentityModel
package import NetworkModel
package import PolicyModel

/// Map states as lines of text, sorted, the same for the same state: `policy compile` and golden tests.
extension MapState {
    /// One line per fact: `subject 3 ingress 1001 tcp/443 -> allow CiliumNetworkPolicy/shop/api ingress[0]`.
    package func lines() -> [String] {
        let sides = subjects.sorted { $0.key < $1.key }.flatMap { slot, subject in
            Direction.allCases.compactMap { subjectLine(slot, subject, $0) }
        }
        let entries = policy.sorted { $0.key < $1.key }.map { line($0.key, $0.value) }
        let mappings = ipcache.sorted { ($0.key.address, $0.key.length) < ($1.key.address, $1.key.length) }
            .map { "ipcache \($0.key) -> \(MapState.peerText($0.value))" }
        return sides + entries + mappings
    }

    /// `subject 3 ingress 1001 tcp/443 -> allow NAME`.
    package func line(_ key: PolicyKey, _ value: PolicyValue) -> String {
        "\(key.text) -> \(text(value))"
    }

    /// What a rule slot stands for, in words.
    package func ruleText(_ slot: UInt32) -> String { rules[slot]?.text ?? "rule \(slot)" }

    /// Reserved identities by name, `any` for 0, others by number.
    package static func peerText(_ identity: NumericIdentity) -> String {
        if identity == .any { return "any" }
        return reservedIdentities.first { $0.identity == identity }?.name ?? String(identity.rawValue)
    }

    /// The line of a subject's default deny; nil if the direction is open.
    package func subjectLine(_ slot: UInt16, _ subject: SubjectState, _ direction: Direction) -> String? {
        let side = Int(direction.rawValue)
        let how: String
        switch (subject.defaultDeny[side], subject.defaultDenyAll[side]) {
        case (false, false): return nil
        case (true, true): how = "default deny"
        case (false, true): how = "audit default deny"
        case (true, false): how = "default deny, in rehearsal none,"
        }
        return
            "subject \(SubjectStage.name(of: slot)) \(direction) \(how) by \(ruleText(subject.defaultDenyRule[side]))"
    }

    func text(_ value: PolicyValue) -> String {
        if value.enforced == value.all { return text(value.enforced) }
        if value.enforced.precedence == 0 { return "audit \(text(value.all))" }
        if value.all.precedence == 0 { return "\(text(value.enforced)), in rehearsal nothing" }
        return "\(text(value.enforced)), audit \(text(value.all))"
    }

    private func text(_ verdict: PolicyVerdict) -> String {
        let action =
            Precedence.isDeny(verdict.precedence) ? "deny" : Precedence.isAllow(verdict.precedence) ? "allow" : "pass"
        return "\(action) \(ruleText(verdict.rule))"
    }
}

extension RuleDescription {
    /// One line for flows and explanations.
    package var nameText: String {
        if case .defaultDeny(let direction, _) = self { return "no \(direction) rule of \(text)" }
        return text
    }

    /// Where the rule stands, if it is one.
    package var source: SourceLocation? {
        guard case .rule(let origin) = self else { return nil }
        return origin.source
    }

    /// Whose verdict it is: the rule's policy, or those that close the direction.
    package var policies: [PolicyReference] {
        switch self {
        case .rule(let origin): [origin.policy]
        case .defaultDeny(_, let policies): policies
        case .builtin: []
        }
    }

    /// The name a verdict carries.
    package var text: String {
        switch self {
        case .rule(let origin): origin.text
        case .defaultDeny(_, let policies): policies.map(\.text).joined(separator: ", ")
        case .builtin(let name): name
        }
    }
}

extension PolicyKey: Comparable {
    /// By subject, direction, peer, protocol, port and length.
    package static func < (a: PolicyKey, b: PolicyKey) -> Bool {
        (a.subject, a.direction.rawValue, a.peer.rawValue, a.proto, a.port, a.prefixLength)
            < (b.subject, b.direction.rawValue, b.peer.rawValue, b.proto, b.port, b.prefixLength)
    }

    /// `subject 3 ingress 1001 tcp/443`.
    package var text: String {
        "subject \(SubjectStage.name(of: subject)) \(direction) \(MapState.peerText(peer)) \(portText)"
    }

    /// `tcp/443`, `tcp/1024-2047`, `tcp`, `icmp/8`, `all`.
    package var portText: String {
        PortKey(proto: proto, port: port, prefixLength: prefixLength).text
    }
}

extension PortKey {
    /// `tcp/443`, `tcp/1024-2047`, `tcp`, `icmp/8`, `all`.
    package var text: String {
        guard self != .allProtocols else { return "all" }
        let name = IPProtocol(rawValue: proto)
        if prefixLength == 0 { return "\(name)" }
        let last = prefixLength == 16 ? port : port | ((1 << UInt16(16 - prefixLength)) - 1)
        if name == .icmp || name == .icmpv6 { return PortMatch.icmpText(name, port...last) }
        if prefixLength == 16 { return "\(name)/\(port)" }
        return "\(name)/\(port)-\(last)"
    }
}

extension MapChanges {
    /// What changes, as sorted lines that begin with `+`, `-` or `~` (from -> to): `policy diff`.
    ///
    /// `old` is the state they apply to.
    package func lines(from old: MapState) -> [String] {
        var new = old
        new.apply(self)
        let removed = policyRemovals.sorted().compactMap { key in old.policy[key].map { "- " + old.line(key, $0) } }
        let set = policySettings.sorted { $0.key < $1.key }.map { setting in
            old.policy[setting.key].map {
                "~ \(setting.key.text): \(old.text($0)) -> \(new.text(setting.value))"
            } ?? "+ " + new.line(setting.key, setting.value)
        }
        let slots = Set(subjectRemovals).union(subjectSettings.keys).sorted()
        let sides = slots.flatMap { slot in
            Direction.allCases.flatMap { direction -> [String] in
                let before = old.subjects[slot].flatMap { old.subjectLine(slot, $0, direction) }
                let after = new.subjects[slot].flatMap { new.subjectLine(slot, $0, direction) }
                if before == after { return [] }
                return (before.map { ["- \($0)"] } ?? []) + (after.map { ["+ \($0)"] } ?? [])
            }
        }
        let mappings =
            mappingRemovals.map { "- ipcache \($0)" }.sorted()
            + mappingSettings.map { "+ ipcache \($0.prefix) -> \(MapState.peerText($0.identity))" }.sorted()
        return sides + removed + set + mappings
    }
}
