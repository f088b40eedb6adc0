// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel

/// Lowers subjects and peers of admin policies.
struct AdminPeerReading {
    let dialect: AdminDialect

    private static let podFields = FieldTable(["namespaceSelector", "podSelector"])
    private static let listCountMax = 25

    /// The workloads a policy is about; nil after an error.
    func subject(_ field: Field) -> LabelSelector? {
        guard let mapping = field.mapping(FieldTable(["namespaces", "pods"])) else { return nil }
        guard let kind = onlyKind(of: mapping, among: ["namespaces", "pods"], what: "a subject", code: .adminSubject)
        else { return nil }
        return workloads(mapping, kind)
    }

    /// The selectors of one peer, any of which it matches; none after an error.
    func read(_ field: Field, direction: Direction, action: RuleAction) -> [PeerSelector] {
        let kinds = ["namespaces", "pods"] + (direction == .ingress ? [] : egressKinds)
        guard let mapping = field.mapping(table(kinds, direction)),
            let kind = onlyKind(of: mapping, among: kinds, what: "a peer", code: .emptyPeer)
        else { return [] }
        switch kind {
        case "nodes": return nodes(mapping[kind])
        case "networks": return networks(mapping[kind])
        case "domainNames":
            guard action == .allow else {
                mapping.keyField(kind)?.error(
                    .mixedPeers, "domainNames in a rule that does not allow",
                    remedy:
                        "the API has them in rules that allow only; use `networks`, or egressDeny of a Cilium policy")
                return []
            }
            return domainNames(mapping[kind])
        default: return workloads(mapping, kind).map { [.labels($0)] } ?? []
        }
    }

    private var egressKinds: [String] { ["nodes", "networks"] + (dialect.hasDomainNames ? ["domainNames"] : []) }

    private func table(_ kinds: [String], _ direction: Direction) -> FieldTable {
        var refused: [String: FieldTable.Refusal] = [:]
        if direction == .ingress {
            for kind in egressKinds {
                refused[kind] = .init(
                    .unknownField, "an ingress rule has no `\(kind)`: the API has it on egress only",
                    remedy: "use a NetworkPolicy with ipBlock, or a Cilium policy")
            }
        } else if !dialect.hasDomainNames {
            refused["domainNames"] = .init(
                .unknownField, "a rule of the baseline has no domainNames", remedy: "name addresses in `networks`")
        }
        return FieldTable(kinds, refused: refused)
    }

    private func onlyKind(
        of mapping: Mapping, among kinds: [String], what: String, code: DiagnosticCode
    ) -> String? {
        let written = kinds.filter(mapping.has)
        guard let first = written.first else {
            // Fields that are none of these have been reported.
            if mapping.pairs.isEmpty {
                mapping.field.error(
                    code, "\(what) needs one of \(kinds.joined(separator: ", "))",
                    remedy: "write `namespaces: {}` for every workload")
            }
            return nil
        }
        guard written.count == 1 else {
            mapping.keyField(written[1])?.error(
                code == .emptyPeer ? .mixedPeers : code, "\(what) has both \(first) and \(written[1])",
                remedy: code == .emptyPeer ? "write two list elements (`- `)" : "keep one of them")
            return nil
        }
        return first
    }

    private func workloads(_ mapping: Mapping, _ kind: String) -> LabelSelector? {
        guard let field = mapping[kind] else { return nil }
        guard kind == "pods" else {
            return SelectorReading(keys: .namespaces).read(field)?.requiringWorkload()
        }
        guard let pods = field.mapping(AdminPeerReading.podFields) else { return nil }
        let everywhere = "write `namespaceSelector: {}` for every namespace"
        let namespaces = pods.required("namespaceSelector", remedy: everywhere)
            .flatMap { SelectorReading(keys: .namespaces).read($0) }
        let selected = pods.required("podSelector", remedy: "write `podSelector: {}` for every pod")
            .flatMap { SelectorReading(keys: .pods).read($0) }
        guard let namespaces, let selected else { return nil }
        return LabelSelector(namespaces.requiringWorkload().requirements + selected.requirements)
    }

    /// Nodes are the host with its own labels, remote nodes, and addresses of nodes that documents describe.
    private func nodes(_ field: Field?) -> [PeerSelector] {
        guard let field, let selector = SelectorReading(keys: .pods).read(field) else { return [] }
        let known = ["host", "remote-node"].map { name in
            PeerSelector.labels(
                selector.requiring(LabelRequirement(source: LabelSource.reserved, key: name, .exists)))
        }
        return known + (ClusterObjects.nodes(field).map { [$0] } ?? [])
    }

    private func domainNames(_ field: Field?) -> [PeerSelector] {
        guard let elements = field?.elements() else { return [] }
        checkCount(elements, 1...AdminPeerReading.listCountMax, field, "domainNames", "split the list in two peers")
        return elements.compactMap { NameReading.adminName($0).map { .name($0) } }
    }

    /// Prefixes match workloads too, as the API says: a pass rule before them leaves workloads out.
    private func networks(_ field: Field?) -> [PeerSelector] {
        guard let elements = field?.elements() else { return [] }
        checkCount(elements, 1...AdminPeerReading.listCountMax, field, "networks", "split the list in two peers")
        return elements.compactMap { element in
            CIDRReading.prefix(element).map { .prefix($0, except: [], includesWorkloads: true) }
        }
    }
}
