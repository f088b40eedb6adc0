// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel

/// Lowers a Kubernetes NetworkPolicy: a list of allowances that closes the directions it is about.
struct NetworkPolicyReading {
    let header: PolicyHeader

    private static let specFields = FieldTable(["podSelector", "policyTypes", "ingress", "egress"])
    private static let ruleFields: [Direction: FieldTable] = [
        .ingress: FieldTable(
            ["from", "ports"],
            refused: ["to": .init(.unknownField, "an ingress rule has `from`, not `to`", remedy: "write from")]),
        .egress: FieldTable(
            ["to", "ports"],
            refused: ["from": .init(.unknownField, "an egress rule has `to`, not `from`", remedy: "write to")]),
    ]

    func read(_ document: Mapping) -> PolicyContent {
        guard let spec = document.required("spec")?.mapping(NetworkPolicyReading.specFields) else {
            return PolicyContent()
        }
        let selector = spec.required("podSelector", remedy: "write `podSelector: {}` for every pod of the namespace")
            .flatMap { SelectorReading(keys: .pods).read($0) }
        let subject = SubjectSelector.endpoints(
            LabelSelector([header.namespaceRequirement] + (selector ?? LabelSelector()).requirements))
        let listed = policyTypes(spec["policyTypes"])
        if case .sequence(let types)? = spec.nullable("policyTypes")?.node.content, types.count > 2 {
            spec.keyField("policyTypes")?.error(
                .tooMany, "\(types.count) elements in `policyTypes`, the API accepts 2 at most",
                remedy: "name each of Ingress and Egress once")
        }
        let errorsBefore = document.field.context.errorCount
        var content = PolicyContent()
        for direction in [Direction.ingress, .egress] {
            let rules = spec[direction.description]
            let elements = rules?.elements() ?? []
            let isClosed = listed?.contains(direction) ?? (direction == .ingress || !elements.isEmpty)
            if isClosed { content.defaultDeny.append(DefaultDeny(subject: subject, direction: direction)) }
            if !isClosed, !elements.isEmpty {
                spec.keyField(direction.description)?.report(
                    .warning, .directionNotListed,
                    "policyTypes does not list \(direction.description.capitalizedASCII), so these rules have no effect",
                    remedy: "add \(direction.description.capitalizedASCII) to policyTypes, or delete the rules")
            }
            lintEmpty(spec, direction, elements, isClosed: isClosed)
            for (index, element) in elements.enumerated() {
                guard let (peers, ports) = rule(element, direction: direction), isClosed else { continue }
                content.rules.append(
                    PolicyRule(
                        origin: header.origin(section: direction.description, index: index, at: element),
                        subject: subject, direction: direction, peers: peers, ports: ports, isAudit: header.isAudit))
            }
        }
        if listed == nil, document.field.context.errorCount == errorsBefore,
            content.rules.contains(where: { $0.direction == .egress }), !spec.has("ingress")
        {
            spec.keyField("egress")?.report(
                .warning, .ingressClosedToo,
                "the rules are about egress alone, but without policyTypes the policy closes ingress too",
                remedy: "write `policyTypes: [Egress]`, or `[Ingress, Egress]` if both are to be closed")
        }
        return content
    }

    /// The traps of `[]` and `[{}]`: what they mean differs between dialects and from what they look like.
    private func lintEmpty(_ spec: Mapping, _ direction: Direction, _ elements: [Field], isClosed: Bool) {
        let name = direction.description
        if elements.isEmpty, spec.has(name), !isClosed {
            spec.keyField(name)?.report(
                .warning, .emptySectionIgnored,
                "`\(name): []` closes nothing here: policyTypes does not list \(name.capitalizedASCII)",
                remedy:
                    "write `policyTypes: [\(name.capitalizedASCII)]` to deny \(name) by default, or delete the field")
        }
        for element in elements where isClosed {
            guard case .mapping(let pairs) = element.node.content, pairs.isEmpty else { continue }
            element.report(
                .note, .emptyElementAllowsAll,
                "an empty element allows all \(name); in a Cilium policy it would allow nothing",
                remedy: "write `\(name): []` and list \(name.capitalizedASCII) in policyTypes to deny by default")
        }
    }

    private func rule(_ element: Field, direction: Direction) -> (PeerSelection, PortSelection)? {
        guard let table = NetworkPolicyReading.ruleFields[direction], let mapping = element.mapping(table) else {
            return nil
        }
        let name = direction == .ingress ? "from" : "to"
        let ports = mapping["ports"]?.elements() ?? []
        let selection = ports.isEmpty ? PortSelection.all : .some(ports.compactMap(NetworkPolicyPortReading.read))
        guard let peers = mapping[name]?.elements() else { return (.any, selection) }
        guard !peers.isEmpty else {
            mapping.keyField(name)?.report(
                .warning, .emptyFromAllowsAll, "an empty `\(name)` means everyone, not no one",
                remedy: "delete `\(name)` to allow everyone, or the whole element to allow no one")
            return (.any, selection)
        }
        let reading = NetworkPolicyPeerReading(header: header)
        return (.some(peers.compactMap(reading.read)), selection)
    }
}

/// Lowers one peer of a NetworkPolicy rule.
struct NetworkPolicyPeerReading {
    let header: PolicyHeader

    private static let fields = FieldTable(["podSelector", "namespaceSelector", "ipBlock"])
    private static let blockFields = FieldTable(["cidr", "except"])

    /// The peer; nil after an error.
    func read(_ field: Field) -> PeerSelector? {
        guard let mapping = field.mapping(NetworkPolicyPeerReading.fields) else { return nil }
        if let block = mapping["ipBlock"] {
            for name in ["podSelector", "namespaceSelector"] {
                mapping.keyField(name)?.error(
                    .mixedPeers, "one peer has both ipBlock and \(name)", remedy: "write two list elements (`- `)")
            }
            return read(block: block)
        }
        guard mapping.has("podSelector") || mapping.has("namespaceSelector") else {
            if !mapping.has("ipBlock") {
                field.error(
                    .emptyPeer, "a peer needs one of podSelector, namespaceSelector and ipBlock",
                    remedy: "write `podSelector: {}` for every pod of this namespace, or delete the list for everyone")
            }
            return nil
        }
        var requirements: [LabelRequirement] = []
        if let namespaces = mapping["namespaceSelector"] {
            guard let selector = SelectorReading(keys: .namespaces).read(namespaces) else { return nil }
            lintEveryNamespace(selector, mapping)
            requirements += selector.requiringWorkload().requirements
        } else {
            requirements.append(header.namespaceRequirement)
        }
        if let pods = mapping["podSelector"] {
            guard let selector = SelectorReading(keys: .pods).read(pods) else { return nil }
            requirements += selector.requirements
        }
        return .labels(LabelSelector(requirements))
    }

    private func lintEveryNamespace(_ namespaces: LabelSelector, _ mapping: Mapping) {
        guard namespaces.isEmpty else { return }
        if let pods = mapping.nullable("podSelector") {
            guard case .mapping(let pairs) = pods.node.content, pairs.isEmpty else { return }
        }
        mapping.keyField("namespaceSelector")?.report(
            .note, .everyNamespace,
            "an empty namespaceSelector means every workload of every namespace, and neither the host nor anyone outside",
            remedy: "leave `namespaceSelector` out for the policy's own namespace, or leave the peers out for everyone")
    }

    private func read(block field: Field) -> PeerSelector? {
        guard let mapping = field.mapping(NetworkPolicyPeerReading.blockFields) else { return nil }
        let prefix = mapping.required("cidr").flatMap { CIDRReading.prefix($0) }
        let exceptions = CIDRReading.exceptions(mapping["except"], of: prefix, mayBeWhole: false)
        return prefix.map {
            .prefix($0, except: exceptions, includesWorkloads: field.context.options.ipBlockMatchesWorkloads)
        }
    }
}

extension String {
    /// `ingress` → `Ingress`.
    var capitalizedASCII: String { prefix(1).uppercased() + dropFirst() }
}
