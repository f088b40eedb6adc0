// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel

/// Lowers one peer of a Cilium rule element.
struct CiliumPeerReading {
    let header: PolicyHeader
    /// The subject is endpoints that are still starting: they, and their peers then, have no namespace yet.
    let subjectIsInit: Bool
    /// The subject is the host itself.
    let subjectIsHost: Bool

    private static let setFields = FieldTable(["cidr", "except", "cidrGroupRef", "cidrGroupSelector"])

    /// What the peer selects; nothing after an error.
    func read(_ field: Field, kind: CiliumPeerKind) -> PeerSelection {
        switch kind {
        case .endpoints: readEndpoints(field)
        case .cidr: .some(readPrefix(field))
        case .cidrSet: .some(readSet(field))
        case .entities: CiliumEntity.read(field)
        case .nodes: .some(ClusterObjects.remoteNodes(field))
        case .services: .some(CiliumServiceReading.read(field))
        case .names: .some(readName(field))
        }
    }

    private func readEndpoints(_ field: Field) -> PeerSelection {
        guard let selector = SelectorReading(keys: .sourced).read(field) else { return .some([]) }
        if selector.isEmpty, !header.namespace.isEmpty {
            field.report(
                .note, .ownNamespaceOnly, "an empty selector means every endpoint of namespace \(header.namespace)",
                remedy: "for everyone, the world included, write `fromEntities: [all]` or `toEntities: [all]`")
        }
        return .some([.labels(scoped(selector))])
    }

    /// A selector that says nothing about namespaces means the policy's own; in a cluster-wide policy every workload.
    ///
    /// Reserved labels have no namespace and stand for themselves. What has no namespace is no workload, and only
    /// workloads are meant: without that requirement `NotIn` would match the host and the world.
    private func scoped(_ selector: LabelSelector) -> LabelSelector {
        let requirements = selector.requirements
        if requirements.contains(where: { $0.source == LabelSource.reserved }) { return selector }
        let namesNamespaces =
            selector.mentions(source: LabelSource.kubernetes, key: WellKnownLabel.namespace)
            || requirements.contains { $0.key.hasPrefix(WellKnownLabel.namespaceLabelPrefix) }
        if namesNamespaces { return selector.requiringWorkload() }
        guard header.namespace.isEmpty else { return LabelSelector([header.namespaceRequirement] + requirements) }
        return subjectIsInit ? selector : selector.requiringWorkload()
    }

    private func readName(_ field: Field) -> [PeerSelector] {
        guard let mapping = field.mapping(FieldTable(["matchName", "matchPattern"])) else { return [] }
        if mapping.has("matchName"), mapping.has("matchPattern") {
            mapping.keyField("matchPattern")?.error(
                .mixedPeers, "one element has both matchName and matchPattern", remedy: "write two elements (`- `)")
            return []
        }
        let name = mapping["matchName"].map { NameReading.name($0) }
        if case .some(.some) = name, let field = mapping["matchName"], let text = field.string() {
            NameReading.warnOfAddress(field, text) { "write an element with `toCIDR: [\($0)]`" }
        }
        let pattern = mapping["matchPattern"].map { NameReading.pattern($0) }
        guard let found = name ?? pattern else {
            if mapping.pairs.isEmpty {
                field.error(
                    .missingField, "an element of toFQDNs needs matchName or matchPattern",
                    remedy: "write `matchName: www.example.org`")
            }
            return []
        }
        return found.map { [.name($0)] } ?? []
    }

    private func readPrefix(_ field: Field) -> [PeerSelector] {
        guard let prefix = CIDRReading.prefix(field, allowsAddress: true) else { return [] }
        return [.prefix(prefix, except: [], includesWorkloads: false)]
    }

    private func readSet(_ field: Field) -> [PeerSelector] {
        guard let mapping = field.mapping(CiliumPeerReading.setFields) else { return [] }
        let kinds = ["cidr", "cidrGroupRef", "cidrGroupSelector"].filter(mapping.has)
        if kinds.count > 1 {
            mapping.keyField(kinds[1])?.error(
                .mixedPeers, "one element has both \(kinds[0]) and \(kinds[1])", remedy: "write two elements (`- `)")
            return []
        }
        if kinds.first.map({ $0 != "cidr" }) ?? false { return readGroup(mapping) }
        let prefix = mapping.required("cidr").flatMap { CIDRReading.prefix($0) }
        let exceptions = CIDRReading.exceptions(mapping["except"], of: prefix, mayBeWhole: true)
        return prefix.map { [.prefix($0, except: exceptions, includesWorkloads: false)] } ?? []
    }

    /// Prefixes of groups by name or by labels; exceptions leave parts of them out, wherever they are.
    private func readGroup(_ mapping: Mapping) -> [PeerSelector] {
        let exceptions = (mapping["except"]?.elements() ?? []).compactMap { CIDRReading.prefix($0) }
        var selector: LabelSelector?
        if let reference = mapping["cidrGroupRef"], let name = reference.string() {
            selector = LabelSelector([
                .equal(source: PrefixGroupReading.nameSource, key: PrefixGroupReading.nameKey, value: name)
            ])
        } else if let field = mapping["cidrGroupSelector"], let read = SelectorReading(keys: .pods).read(field) {
            selector = read.ofSource(PrefixGroupReading.nameSource)
        }
        guard let selector else { return [] }
        let group = PeerSelector.group(selector.requiringGroup())
        return exceptions.isEmpty ? [group] : [.narrowed(group, PeerCondition(outside: exceptions))]
    }
}

/// The entities: names for groups of reserved identities.
enum CiliumEntity {
    /// What an entity selects; nothing after an error.
    static func read(_ field: Field) -> PeerSelection {
        guard let name = field.string() else { return .some([]) }
        switch name {
        case "all": return .any
        case "none": return .some([])
        case "world": return .some([.labels(.reserved("world"))])
        case "world-ipv4": return .some([.prefix(.allIPv4, except: [], includesWorkloads: false)])
        case "world-ipv6": return .some([.prefix(.allIPv6, except: [], includesWorkloads: false)])
        case "cluster":
            // Everything but the world, and prefixes carry the world's label.
            let outside = LabelRequirement(source: LabelSource.reserved, key: "world", .doesNotExist)
            return .some([.labels(LabelSelector([outside])), ClusterObjects.everyRemoteNode])
        case "remote-node": return .some([.labels(.reserved(name)), ClusterObjects.everyRemoteNode])
        case "kube-apiserver": return .some([.labels(.reserved(name)), ClusterObjects.apiServer])
        case "host", "ingress", "init", "health", "unmanaged":
            return .some([.labels(.reserved(name))])
        case "cluster-mesh":
            field.error(
                .unsupportedEntity, "entity `cluster-mesh` is not supported", remedy: "write `cluster` or `world`")
        default:
            let guess = closestWord(to: name, among: names)
            field.error(
                .unknownEntity, "unknown entity \(field.quoted)",
                remedy: guess.map { "did you mean `\($0)`?" } ?? "entities are \(names.joined(separator: ", "))")
        }
        return .some([])
    }

    private static let names = [
        "all", "cluster", "health", "host", "ingress", "init", "kube-apiserver", "none", "remote-node", "unmanaged",
        "world", "world-ipv4", "world-ipv6",
    ]
}
