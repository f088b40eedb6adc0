// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel

/// Lowers NetworkPolicy and GlobalNetworkPolicy of Calico v3: rules in order, the first that matches wins; whom a policy
/// selects is closed at the end of its tier, unless the tier passes there.
struct CalicoPolicyReading {
    let header: PolicyHeader
    let dialect: Dialect

    private static let fields = [
        "tier", "order", "selector", "serviceAccountSelector", "types", "ingress", "egress", "performanceHints",
    ]
    private static let globalFields = ["namespaceSelector", "doNotTrack", "preDNAT", "applyOnForward"]
    private static let notes = [
        "tier": "yes; tiers of admin policies refused (BH1312)",
        "serviceAccountSelector": "yes, by the labels that a `Profile` named `ksa.NAMESPACE.ACCOUNT` gives",
        "types": "yes; missing: what has rules, and ingress if nothing has",
        "performanceHints": "taken, changes nothing",
        "stagedAction": "`Set`, `Delete`, `Ignore`; `Learn` is taken as `Set`",
    ].merging(CalicoStages.notes) { first, _ in first }
    private static let onlyGlobal = FieldTable.Refusal(
        .unknownField, "a namespaced policy has no such field", remedy: "write a GlobalNetworkPolicy")

    private var scope: CalicoScope { CalicoScope(namespace: header.namespace) }

    func read(_ document: Mapping) -> PolicyContent {
        let isGlobal = !dialect.isNamespaced
        let staged = dialect.isStaged ? [StagedReading.actionField] : []
        let table = FieldTable(
            CalicoPolicyReading.fields + staged + (isGlobal ? CalicoPolicyReading.globalFields : []),
            refused: isGlobal
                ? [:]
                : Dictionary(
                    uniqueKeysWithValues: CalicoPolicyReading.globalFields.map { ($0, CalicoPolicyReading.onlyGlobal) }),
            notes: CalicoPolicyReading.notes)
        guard let spec = document.required("spec")?.mapping(table) else { return PolicyContent() }
        if dialect.isStaged {
            guard let action = StagedReading.action(spec) else { return PolicyContent() }
            return StagedReading(header: header, dialect: dialect).content(read(spec, isGlobal: isGlobal), action)
        }
        return read(spec, isGlobal: isGlobal)
    }

    private func read(_ spec: Mapping, isGlobal: Bool) -> PolicyContent {
        var content = PolicyContent()
        if let field = spec["tier"], let tier = CalicoTier.named(field) { content.tier = tier }
        content.order = .ordered(spec["order"].flatMap { $0.decimal() })
        let stages = isGlobal ? CalicoStages(spec) : CalicoStages()
        if stages.isPreDNAT { content.tier = .preDNAT }
        readHints(spec)
        let subjects = subjects(spec)
        let listed = policyTypes(spec["types"])
        for direction in [Direction.ingress, .egress] {
            let elements = spec[direction.description]?.elements() ?? []
            let other: Direction = direction == .ingress ? .egress : .ingress
            let isOtherEmpty = spec["\(other)"]?.elements()?.isEmpty ?? !spec.has("\(other)")
            let isListed = listed?.contains(direction) ?? (!elements.isEmpty || direction == .ingress && isOtherEmpty)
            if isListed, stages.closes {
                content.defaultDeny += stages.subjects(subjects).map { DefaultDeny(subject: $0, direction: direction) }
            } else if !isListed, !elements.isEmpty {
                spec.keyField(direction.description)?.report(
                    .warning, .directionNotListed,
                    "types does not list \(direction.description.capitalizedASCII), so these rules have no effect",
                    remedy: "add \(direction.description.capitalizedASCII) to types, or delete the rules")
            }
            let reading = CalicoRuleReading(
                scope: scope, direction: direction, subjects: subjects, stages: stages)
            for (index, element) in elements.enumerated() {
                guard let rule = reading.read(element), isListed else { continue }
                let origin = header.origin(section: direction.description, index: index, at: element)
                content.rules += stages.subjects(rule.subjects).map {
                    PolicyRule(
                        origin: origin, subject: $0, direction: direction, action: rule.action,
                        // Lookups of those behind the host are not read: names would open nothing for them.
                        peers: $0.isStage ? rule.peers.withoutGroupNames : rule.peers,
                        ports: rule.ports, isAudit: header.isAudit)
                }
            }
        }
        return content
    }

    private func subjects(_ spec: Mapping) -> CalicoSubjects {
        let chosen = spec["selector"].map { scope.form($0, .endpoints) } ?? .everything
        let accounts = spec["serviceAccountSelector"].map { scope.form($0, .accounts) } ?? .everything
        let namespaces = spec["namespaceSelector"].flatMap { scope.namespaces($0) }
        let place = spec["selector"] ?? spec.field
        guard let chosen, let accounts, let both = together(chosen, accounts, at: place),
            let selected = scope.selected(both, namespaces, at: place)
        else { return CalicoSubjects(endpoints: .init(alternatives: []), hosts: .init(alternatives: [])) }
        return CalicoSubjects(
            endpoints: .init(alternatives: selected.workloads), hosts: .init(alternatives: selected.hosts))
    }

    private func together(
        _ first: CalicoSelectorForm, _ second: CalicoSelectorForm, at field: Field
    ) -> CalicoSelectorForm? {
        do {
            return try first.and(second)
        } catch {
            CalicoScope.reportTooLarge(field)
            return nil
        }
    }

    private func readHints(_ spec: Mapping) {
        guard let elements = spec["performanceHints"]?.elements() else { return }
        for element in elements {
            guard let text = element.string(), text != "AssumeNeededOnEveryNode" else { continue }
            element.error(
                .unknownValue, "\(element.quoted) is not a performance hint", remedy: "write AssumeNeededOnEveryNode")
        }
    }
}

/// Tiers as policies name them.
enum CalicoTier {
    /// Tiers that other APIs fill.
    static let reserved = ["adminnetworkpolicy", "baselineadminnetworkpolicy", "kube-admin", "kube-baseline"]

    /// Nil after an error.
    static func named(_ field: Field) -> PolicyTier? {
        guard let name = field.string() else { return nil }
        if name.isEmpty || name == "default" { return .normal }
        guard !reserved.contains(name) else {
            field.error(
                .invalidTier, "tier \(field.quoted) is for admin policies of Kubernetes only",
                remedy: "write an AdminNetworkPolicy or ClusterNetworkPolicy, or name another tier")
            return nil
        }
        return .own(name)
    }
}

extension SubjectSelector {
    /// True for what only passes through the host.
    fileprivate var isStage: Bool { if case .stage = self { true } else { false } }
}

/// Whom a policy or one of its rules is about.
struct CalicoSubjects {
    var endpoints: CalicoSelectorForm
    var hosts: CalicoSelectorForm

    var selectors: [SubjectSelector] {
        endpoints.alternatives.map(SubjectSelector.endpoints) + hosts.alternatives.map(SubjectSelector.hosts)
    }
}
