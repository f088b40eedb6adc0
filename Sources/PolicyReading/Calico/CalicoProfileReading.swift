// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel

/// Reads a Calico Profile: labels for those who have it, and rules that are asked behind every tier.
///
/// `kns.NAMESPACE` is the profile of a namespace's workloads, `ksa.NAMESPACE.ACCOUNT` that of a service account's; others are
/// those of host endpoints that name them.
struct CalicoProfileReading {
    let header: PolicyHeader

    private static let fields = FieldTable(
        ["labelsToApply", "ingress", "egress"],
        notes: [
            "ingress": "yes; `Pass` refused (BH1105); refused in a profile `ksa.…` (BH1513)",
            "egress": "yes; `Pass` refused (BH1105); refused in a profile `ksa.…` (BH1513)",
        ])

    func read(_ document: Mapping) -> PolicyContent {
        var content = PolicyContent(tier: .profile, order: .ordered(0))
        let name = header.reference.name
        if name == CalicoProfile.allowAll {
            (document["metadata"]?.child("name") ?? document.field).error(
                .invalidName, "profile `\(name)` is there already and allows everything",
                remedy: "delete the document, or give the profile another name")
        }
        let owner = owner(name)
        var subjects = CalicoSubjects(
            endpoints: .init(alternatives: []), hosts: .init(alternatives: [CalicoProfile.marker(name).exists]))
        switch owner {
        case .namespace(let selector):
            subjects.endpoints = .init(alternatives: [selector])
            content.defaultDeny = [Direction.ingress, .egress].map {
                DefaultDeny(subject: .endpoints(selector), direction: $0)
            }
        case .account(let selector): subjects.endpoints = .init(alternatives: [selector])
        case .hosts: break
        }
        guard let spec = document["spec"]?.mapping(CalicoProfileReading.fields) else { return content }
        let labels = (spec["labelsToApply"]?.entries() ?? []).compactMap { entry in
            entry.value.string().map { Label(source: LabelSource.kubernetes, key: entry.key, value: $0) }
        }
        if !labels.isEmpty {
            content.grants = subjects.selectors.map { EndpointGrant(recipient: .selected($0), labels: labels) }
        }
        for direction in [Direction.ingress, .egress] {
            content.rules += rules(spec, direction, subjects, mayHave: !owner.isAccount)
        }
        return content
    }

    private func rules(
        _ spec: Mapping, _ direction: Direction, _ subjects: CalicoSubjects, mayHave: Bool
    ) -> [PolicyRule] {
        let elements = spec[direction.description]?.elements() ?? []
        guard mayHave || elements.isEmpty else {
            // Behind a namespace's own profile, which nobody needs to write and which then allows everything.
            spec.keyField(direction.description)?.error(
                .unsupportedMatch, "the profile of a service account has labels only, as Kubernetes makes them",
                remedy: "write the rules into a GlobalNetworkPolicy with a serviceAccountSelector")
            return []
        }
        let reading = CalicoRuleReading(scope: CalicoScope(namespace: ""), direction: direction, subjects: subjects)
        return elements.enumerated().flatMap { index, element -> [PolicyRule] in
            guard let rule = reading.read(element) else { return [] }
            guard rule.action != .pass else {
                element.error(
                    .unknownValue, "a profile has nobody to pass to: it is asked last", remedy: "write Allow or Deny")
                return []
            }
            let origin = header.origin(section: direction.description, index: index, at: element)
            return rule.subjects.selectors.map {
                PolicyRule(
                    origin: origin, subject: $0, direction: direction, action: rule.action, peers: rule.peers,
                    ports: rule.ports, isAudit: header.isAudit)
            }
        }
    }

    // MARK: Whose it is

    private enum Owner {
        case namespace(LabelSelector)
        case account(LabelSelector)
        case hosts

        var isAccount: Bool { if case .account = self { true } else { false } }
    }

    private func owner(_ name: String) -> Owner {
        func inside(_ namespace: Substring) -> LabelRequirement {
            .equal(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: String(namespace))
        }
        if name.hasPrefix("kns.") { return .namespace(LabelSelector([inside(name.dropFirst(4))])) }
        let parts = name.split(separator: ".", maxSplits: 2)
        guard parts.count == 3, parts[0] == "ksa" else { return .hosts }
        return .account(
            LabelSelector([
                inside(parts[1]), LabelRequirement(key: CalicoScope.accountLabel, .isIn([String(parts[2])])),
            ]))
    }
}

extension Label {
    /// Selects who has it.
    var exists: LabelSelector { LabelSelector([LabelRequirement(source: source, key: key, .exists)]) }
}
