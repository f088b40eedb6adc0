// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel

/// Lowers CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy at L3/L4.
///
/// A document has `spec`, `specs`, or both; each is a rule with a subject and up to four sections of elements.
struct CiliumPolicyReading {
    let header: PolicyHeader

    private static let specFields = FieldTable(
        [
            "description", "endpointSelector", "nodeSelector", "ingress", "ingressDeny", "egress", "egressDeny",
            "enableDefaultDeny", "labels", "log",
        ],
        refused: [
            "podSelector": .init(
                .unknownField, "podSelector is a field of NetworkPolicy", remedy: "write endpointSelector"),
            "policyTypes": .init(
                .unknownField, "policyTypes is a field of NetworkPolicy",
                remedy: "delete it; a direction with entries is closed by default (enableDefaultDeny)"),
        ])
    private static let logFields = FieldTable(["value"])

    private var isNamespaced: Bool { !header.namespace.isEmpty }

    func read(_ document: Mapping) -> PolicyContent {
        var content = PolicyContent()
        if let spec = document["spec"] { read(spec, prefix: "", into: &content) }
        if let specs = document["specs"]?.elements() {
            for (index, spec) in specs.enumerated() { read(spec, prefix: "specs[\(index)].", into: &content) }
            if specs.isEmpty, !document.has("spec") {
                document.field.error(.missingField, "`specs` is empty and there is no `spec`", remedy: "write a spec")
            }
        }
        if !document.has("spec"), !document.has("specs") {
            document.field.error(.missingField, "field `spec` is missing")
        }
        return content
    }

    private func read(_ field: Field, prefix: String, into content: inout PolicyContent) {
        guard let spec = field.mapping(CiliumPolicyReading.specFields) else { return }
        readLog(spec)
        let subject = subject(of: spec)
        let sections = CiliumSection.all.compactMap { section in
            spec[section.name]?.elements().map { (section, $0) }
        }
        guard sections.contains(where: { !$0.1.isEmpty }) else {
            if !CiliumSection.all.contains(where: { spec.has($0.name) && spec.nullable($0.name)?.node.isNull == true })
            {
                refuseEmpty(spec, sections: sections.map(\.0))
            }
            return
        }
        lintDenyOnly(spec, sections: sections)
        content.defaultDeny += defaultDeny(of: spec, subject: subject, sections: sections)
        let peers = CiliumPeerReading(
            header: header, subjectIsInit: isInit(subject), subjectIsHost: subject.kind == .host)
        for (section, elements) in sections {
            let reading = CiliumElementReading(section: section, peers: peers)
            for (index, element) in elements.enumerated() {
                guard let (peers, ports) = reading.read(element, elementCount: elements.count) else { continue }
                content.rules.append(
                    PolicyRule(
                        origin: header.origin(section: prefix + section.name, index: index, at: element),
                        subject: subject, direction: section.direction, action: section.action, peers: peers,
                        ports: ports, isAudit: header.isAudit))
            }
        }
    }

    // MARK: The subject

    private func subject(of spec: Mapping) -> SubjectSelector {
        switch (spec.has("endpointSelector"), spec.has("nodeSelector")) {
        case (true, false):
            let selector = spec["endpointSelector"].flatMap { field in
                SelectorReading(keys: .sourced).readWritten(field).map { inNamespace($0, at: field) }
            }
            return .endpoints(selector ?? LabelSelector())
        case (false, true):
            if isNamespaced {
                spec.keyField("nodeSelector")?.error(
                    .nodeSelectorInNamespace, "nodeSelector selects hosts, which have no namespace",
                    remedy: "write a CiliumClusterwideNetworkPolicy")
            }
            let selector = spec["nodeSelector"].flatMap { SelectorReading(keys: .sourced).read($0) }
            return .hosts(selector ?? LabelSelector())
        case (true, true):
            spec.keyField("nodeSelector")?.error(
                .subjectCount, "a rule has both endpointSelector and nodeSelector",
                remedy: "write one rule for each, in `specs`")
        case (false, false):
            spec.field.error(
                .subjectCount, "a rule has neither endpointSelector nor nodeSelector",
                remedy: "write `endpointSelector: {}` for every endpoint"
                    + (isNamespaced ? " of namespace \(header.namespace)" : ""))
        }
        return .endpoints(LabelSelector())
    }

    /// The subject of a namespaced policy is in its namespace, whatever its labels say.
    ///
    /// Only the label of the namespace itself is replaced: labels of namespaces select, or do not.
    private func inNamespace(_ written: [SelectorReading.Written], at field: Field) -> LabelSelector {
        let requirements = written.map(\.requirement)
        guard isNamespaced else { return LabelSelector(requirements) }
        let own = header.namespaceRequirement
        let isReplaced = written.map { key, requirement in
            guard key == "\(own.source):\(own.key)", case .isIn(let values) = requirement.operation else {
                return false
            }
            return values != [header.namespace]
        }
        for (requirement, isReplaced) in zip(requirements, isReplaced) where isReplaced {
            field.report(
                .warning, .namespaceOverridden,
                "a policy speaks for its own namespace \(header.namespace); `\(requirement)` is replaced",
                remedy: "move the policy to that namespace, or write a CiliumClusterwideNetworkPolicy")
        }
        let others = zip(requirements, isReplaced).filter { !$1 && $0 != own }.map(\.0)
        return LabelSelector([own] + others)
    }

    private func isInit(_ subject: SubjectSelector) -> Bool {
        guard case .endpoints(let selector) = subject else { return false }
        return selector.requirements.contains { $0.source == LabelSource.reserved && $0.key == "init" }
    }

    // MARK: Default deny

    private func defaultDeny(
        of spec: Mapping, subject: SubjectSelector, sections: [(CiliumSection, [Field])]
    ) -> [DefaultDeny] {
        let flags = spec["enableDefaultDeny"]?.mapping(FieldTable(["ingress", "egress"]))
        return [Direction.ingress, .egress].compactMap { direction in
            let hasEntries = sections.contains { $0.0.direction == direction && !$0.1.isEmpty }
            let flag = flags?[direction.description]
            let isEnabled = flag?.boolean() ?? true
            if let flag, isEnabled, !hasEntries {
                flag.report(
                    .warning, .defaultDenyIgnored,
                    "enableDefaultDeny.\(direction) closes nothing: the rule has no \(direction) entry",
                    remedy: "write `\(direction): [{}]` to deny by default")
            }
            return hasEntries && isEnabled ? DefaultDeny(subject: subject, direction: direction) : nil
        }
    }

    // MARK: Lints

    private func refuseEmpty(_ spec: Mapping, sections: [CiliumSection]) {
        guard let first = sections.first else {
            spec.field.error(
                .noSections, "a rule needs one of ingress, ingressDeny, egress and egressDeny",
                remedy: "write `ingress: [{}]` to deny ingress by default")
            return
        }
        spec.keyField(first.name)?.error(
            .noSections, "`\(first.name): []` is no entry, and a rule without an entry has no effect",
            remedy: "write `\(first.direction): [{}]` to deny \(first.direction) by default")
    }

    private func lintDenyOnly(_ spec: Mapping, sections: [(CiliumSection, [Field])]) {
        for (section, elements) in sections where section.action == .deny && !elements.isEmpty {
            let hasAllow = sections.contains {
                $0.0.direction == section.direction && $0.0.action == .allow && !$0.1.isEmpty
            }
            let isSaid = spec.nullable("enableDefaultDeny").flatMap { $0.child("\(section.direction)") } != nil
            guard !hasAllow, !isSaid else { continue }
            spec.keyField(section.name)?.report(
                .note, .denyOnly,
                "with \(section.name) the selected endpoints also deny \(section.direction) by default",
                remedy: "write `enableDefaultDeny: {\(section.direction): false}` if the rest is to stay open")
        }
    }

    private func readLog(_ spec: Mapping) {
        guard let log = spec["log"], let value = log.mapping(CiliumPolicyReading.logFields)?["value"] else { return }
        guard let text = value.string() else { return }
        if text.utf8.count > 32 {
            value.error(.unknownValue, "log.value is longer than 32 characters", remedy: "shorten it")
        }
        value.report(
            .warning, .notRecorded, "log.value is not written into flow records",
            remedy: "verdicts already name the policy and its rule; delete the field")
    }
}

/// One of the four lists of a rule.
struct CiliumSection: Hashable {
    let name: String
    let direction: Direction
    let action: RuleAction

    /// In the order in which the rules of a document are numbered.
    static let all = [
        CiliumSection(name: "ingress", direction: .ingress, action: .allow),
        CiliumSection(name: "ingressDeny", direction: .ingress, action: .deny),
        CiliumSection(name: "egress", direction: .egress, action: .allow),
        CiliumSection(name: "egressDeny", direction: .egress, action: .deny),
    ]
}

extension Field {
    /// The key of one of this mapping's entries, as a place to complain about.
    func child(_ key: String) -> Field? {
        guard case .mapping(let pairs) = node.content else { return nil }
        return Mapping(pairs: pairs, field: self).keyField(key)
    }
}
