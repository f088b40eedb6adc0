// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel

/// What the kinds of policy.networking.k8s.io have in common and where they differ.
struct AdminDialect {
    let tier: PolicyTier
    /// Nil: the field `tier` says it.
    var hasTierField = false
    /// The order of a kind without the field `priority`.
    var fixedPriority: UInt16?
    /// The only name a policy of this kind may have.
    var onlyName: String?
    let actions: [(word: String, action: RuleAction)]
    let ruleCountMax: Int
    let peerCountMax: Int
    /// The field for ports.
    let portsField: String
    let hasDomainNames: Bool

    static let admin = AdminDialect(
        tier: .admin, actions: [("Allow", .allow), ("Deny", .deny), ("Pass", .pass)], ruleCountMax: 100,
        peerCountMax: 100, portsField: "ports", hasDomainNames: true)
    /// Behind every ClusterNetworkPolicy of the tier.
    static let baseline = AdminDialect(
        tier: .baseline, fixedPriority: PolicyOrder.lastPriority, onlyName: "default",
        actions: [("Allow", .allow), ("Deny", .deny)], ruleCountMax: 100, peerCountMax: 100, portsField: "ports",
        hasDomainNames: false)
    static let cluster = AdminDialect(
        tier: .admin, hasTierField: true, actions: [("Accept", .allow), ("Deny", .deny), ("Pass", .pass)],
        ruleCountMax: 25, peerCountMax: 25, portsField: "protocols", hasDomainNames: true)
}

/// Lowers AdminNetworkPolicy, BaselineAdminNetworkPolicy and ClusterNetworkPolicy: rules in order, the first that matches
/// wins; nothing is closed by being selected.
struct AdminPolicyReading {
    let header: PolicyHeader
    let dialect: AdminDialect

    func read(_ document: Mapping) -> PolicyContent {
        var content = PolicyContent()
        checkName(document)
        let optional = (dialect.hasTierField ? ["tier"] : []) + (dialect.fixedPriority == nil ? ["priority"] : [])
        guard let spec = document.required("spec")?.mapping(FieldTable(optional + ["subject", "ingress", "egress"]))
        else { return content }
        content.tier = dialect.hasTierField ? tier(spec) : dialect.tier
        content.order = .priority(dialect.fixedPriority ?? priority(spec))
        let subject = spec.required("subject", remedy: "write `subject: {namespaces: {}}` for every workload")
            .flatMap { AdminPeerReading(dialect: dialect).subject($0) }
        for direction in [Direction.ingress, .egress] {
            guard let elements = spec[direction.description]?.elements() else { continue }
            checkCount(
                elements, 0...dialect.ruleCountMax, spec[direction.description], "rules for a direction",
                "split the policy in two")
            for (index, element) in elements.enumerated() {
                guard let rule = rule(element, index, direction, subject ?? LabelSelector()) else { continue }
                content.rules.append(rule)
            }
        }
        return content
    }

    private func checkName(_ document: Mapping) {
        guard let only = dialect.onlyName, !header.reference.name.isEmpty, header.reference.name != only else { return }
        (document["metadata"] ?? document.field).error(
            .invalidName, "the only \(header.reference.kind) is named `\(only)`", remedy: "write name: \(only)")
    }

    private func tier(_ spec: Mapping) -> PolicyTier {
        guard let field = spec.required("tier", remedy: "write tier: Admin or tier: Baseline"),
            let text = field.string()
        else { return dialect.tier }
        switch text {
        case "Admin": return .admin
        case "Baseline": return .baseline
        default:
            let guess = closestWord(to: text, among: ["Admin", "Baseline"])
            field.error(
                .unknownValue, "\(field.quoted) is not a tier",
                remedy: guess.map { "did you mean `\($0)`?" } ?? "write Admin or Baseline")
            return dialect.tier
        }
    }

    private func priority(_ spec: Mapping) -> UInt16 {
        let range = PolicyOrder.priorities
        let allowed = "\(range.lowerBound) (asked first) to \(range.upperBound)"
        guard let field = spec.required("priority", remedy: "write a priority from \(allowed)"),
            let number = field.integer()
        else { return 0 }
        guard let priority = UInt16(exactly: number), range.contains(priority) else {
            field.error(.invalidPriority, "priority \(number) is out of range", remedy: "write \(allowed)")
            return 0
        }
        return priority
    }

    private func rule(_ element: Field, _ index: Int, _ direction: Direction, _ subject: LabelSelector) -> PolicyRule? {
        let name = direction == .ingress ? "from" : "to"
        let other = direction == .ingress ? "to" : "from"
        let table = FieldTable(
            ["name", "action", name, dialect.portsField],
            refused: [
                other: .init(
                    .unknownField, "an \(direction) rule has `\(name)`, not `\(other)`", remedy: "write \(name)")
            ])
        guard let mapping = element.mapping(table) else { return nil }
        if let nameField = mapping["name"], let text = nameField.string(), text.utf8.count > 100 {
            nameField.error(.tooMany, "the rule's name has more than 100 characters", remedy: "shorten it")
        }
        guard let action = action(mapping) else { return nil }
        let everyone = "for everyone write `- networks: [0.0.0.0/0, \"::/0\"]`"
        guard
            let peersField = mapping.required(
                name, remedy: direction == .egress ? everyone : "for every workload write `- namespaces: {}`"),
            let elements = peersField.elements()
        else { return nil }
        checkCount(
            elements, 1...dialect.peerCountMax, peersField, "elements in `\(name)`",
            elements.isEmpty ? "name a peer, or delete the rule" : "split the rule")
        let peers = AdminPeerReading(dialect: dialect)
        let selectors = elements.flatMap { peers.read($0, direction: direction, action: action) }
        let ports = AdminPortReading(dialect: dialect).read(mapping)
        return PolicyRule(
            origin: header.origin(section: direction.description, index: index, at: element),
            subject: .endpoints(subject), direction: direction, action: action, peers: .some(selectors), ports: ports,
            isAudit: header.isAudit)
    }

    private func action(_ rule: Mapping) -> RuleAction? {
        let words = dialect.actions.map(\.word)
        let listing = words.dropLast().joined(separator: ", ") + " or " + (words.last ?? "")
        guard let field = rule.required("action", remedy: "write \(listing)"), let text = field.string() else {
            return nil
        }
        if let known = dialect.actions.first(where: { $0.word == text }) { return known.action }
        let synonyms = ["Allow": "Accept", "Accept": "Allow"]
        let guess = synonyms[text].flatMap { words.contains($0) ? $0 : nil } ?? closestWord(to: text, among: words)
        field.error(
            .unknownValue, "\(field.quoted) is not an action of \(header.reference.kind)",
            remedy: guess.map { "did you mean `\($0)`?" } ?? "write \(listing)")
        return nil
    }
}

/// Says so if a list has fewer or more elements than the API accepts.
func checkCount(
    _ elements: [Field], _ range: ClosedRange<Int>, _ field: Field?, _ what: String, _ remedy: String
) {
    guard !range.contains(elements.count) else { return }
    let limit = elements.count > range.upperBound ? "\(range.upperBound) at most" : "at least \(range.lowerBound)"
    field?.error(.tooMany, "\(elements.count) \(what), the API accepts \(limit)", remedy: remedy)
}
