// SPDX-License-Identifier: Apache-2.0

/// Label selectors of Kubernetes, as apimachinery has them.
enum ReferenceSelector {
    /// Whether every requirement of `matchLabels` and `matchExpressions` holds.
    ///
    /// `values`: the values of a key; none if the key is absent.
    static func matches(_ selector: CaseNode, _ values: (String) -> [String]) -> Bool {
        for (key, value) in selector["matchLabels"]?.members ?? [] where !values(key).contains(value.string ?? "") {
            return false
        }
        for expression in selector["matchExpressions"]?.elements ?? [] {
            let present = values(expression["key"]?.string ?? "")
            let listed = (expression["values"]?.elements ?? []).compactMap(\.string)
            let isListed = present.contains { listed.contains($0) }
            switch expression["operator"]?.string {
            case "In": if !isListed { return false }
            case "NotIn": if isListed { return false }
            case "Exists": if present.isEmpty { return false }
            case "DoesNotExist": if !present.isEmpty { return false }
            default: return false
            }
        }
        return true
    }

    /// The same about the labels of an object, a mapping.
    static func matches(_ selector: CaseNode, of labels: CaseNode) -> Bool {
        matches(selector) { key in labels[key]?.string.map { [$0] } ?? [] }
    }

    /// Keys that a selector speaks of.
    static func keys(_ selector: CaseNode) -> [String] {
        (selector["matchLabels"]?.members ?? []).map(\.key)
            + (selector["matchExpressions"]?.elements ?? []).compactMap { $0["key"]?.string }
    }

    /// `podSelector`: labels of every source.
    static func matchesPod(_ selector: CaseNode, _ party: ReferenceParty) -> Bool {
        matches(selector) { party.values($0) }
    }

    /// `namespaceSelector`: labels of the party's namespace; whoever has no namespace is not meant.
    static func matchesNamespace(_ selector: CaseNode, _ party: ReferenceParty) -> Bool {
        party.isWorkload && matches(selector) { namespaceValues($0, party) }
    }

    /// Every namespace is labelled with its own name.
    static func namespaceValues(_ key: String, _ party: ReferenceParty) -> [String] {
        guard party.isWorkload else { return [] }
        if key == "kubernetes.io/metadata.name" { return [party.namespace] }
        return party.namespaceLabels[key].map { [$0] } ?? []
    }
}
