// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel

/// Reads documents that give prefixes labels: NetworkSet and GlobalNetworkSet of Calico, CiliumCIDRGroup.
struct PrefixGroupReading {
    let header: PolicyHeader
    let dialect: Dialect

    /// A group's own name, by which `cidrGroupRef` finds it.
    static let nameSource = LabelSource.cidrGroup
    static let nameKey = "io.cilium.policy.cidrgroupname"
    private static let domainsName = "allowedEgressDomains"
    private static let domainsNote =
        "names, for egress rules that allow: [names of sets](../calico.md#names-of-sets); a label `*` is one or more labels"

    func read(_ document: Mapping) -> PolicyContent {
        var content = PolicyContent()
        let isCilium = dialect == .ciliumCIDRGroup
        let listName = isCilium ? "externalCIDRs" : "nets"
        let table = FieldTable(
            [listName] + (isCilium ? [] : [PrefixGroupReading.domainsName]),
            notes: [PrefixGroupReading.domainsName: PrefixGroupReading.domainsNote])
        guard let spec = (isCilium ? document.required("spec") : document["spec"])?.mapping(table) else {
            // Calico takes a set without anything in it.
            if !isCilium, !document.has("spec") { content.prefixGroup = group([], [], document) }
            return content
        }
        let domains = isCilium ? nil : spec[PrefixGroupReading.domainsName]?.elements()
        let names = (domains ?? []).compactMap(NameReading.calicoName)
        let list = isCilium ? spec.required(listName) : spec[listName]
        let prefixes = (list?.elements() ?? []).compactMap { CIDRReading.prefix($0, allowsAddress: true) }
        content.prefixGroup = group(prefixes, names, document)
        return content
    }

    private func group(_ prefixes: [CIDR], _ names: [NameSelector], _ document: Mapping) -> PrefixGroup {
        let isCilium = dialect == .ciliumCIDRGroup
        var labels: [Label] = []
        for entry in document["metadata"]?.child(entriesOf: "labels") ?? [] {
            guard let value = entry.value.string() else { continue }
            let source = isCilium ? PrefixGroupReading.nameSource : LabelSource.kubernetes
            labels.append(Label(source: source, key: entry.key, value: value))
        }
        if isCilium {
            labels.append(
                Label(
                    source: PrefixGroupReading.nameSource, key: PrefixGroupReading.nameKey,
                    value: header.reference.name))
        } else {
            labels.append(CalicoScope.setMarker)
            if !header.namespace.isEmpty {
                labels.append(
                    Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: header.namespace))
            }
        }
        return PrefixGroup(
            labels: LabelSet(labels), prefixes: Set(prefixes).sorted(), names: Set(names), includesWorkloads: !isCilium)
    }
}

extension Field {
    /// The entries of a mapping inside this mapping.
    func child(entriesOf key: String) -> [Entry]? {
        guard case .mapping(let pairs) = node.content else { return nil }
        return Mapping(pairs: pairs, field: self).nullable(key).flatMap { $0.node.isNull ? nil : $0.entries() }
    }
}

extension LabelSelector {
    /// Adds "is a CIDR group": sets of Calico are no groups of Cilium's.
    func requiringGroup() -> LabelSelector {
        requiring(
            LabelRequirement(source: PrefixGroupReading.nameSource, key: PrefixGroupReading.nameKey, .exists))
    }
}
