// SPDX-License-Identifier: Apache-2.0

/// A tier of policies as the oracle asks them, and the line of all (docs/reference/policies.md, "Order of evaluation").
struct ReferenceTier {
    enum Kind {
        case admin
        case baseline
        /// Calico's, the default one too.
        case calico
        /// Calico's profiles and host endpoints.
        case profile
    }

    var name: String
    var kind = Kind.calico
    var order: Double
    /// Whether whom a policy selects is denied at the end.
    var closes = true

    /// Every tier that a policy is in, by order, then by name.
    static func all(_ documents: [CaseNode]) -> [ReferenceTier] {
        var tiers = [
            ReferenceTier(name: "admin", kind: .admin, order: 1000),
            ReferenceTier(name: "default", order: 1_000_000),
            ReferenceTier(name: "baseline", kind: .baseline, order: 10_000_000),
        ]
        let used = Set(documents.filter(ReferenceCalicoPolicy.isPolicy).map(ReferenceCalicoPolicy.tier))
        for name in used where name != "default" {
            let definition = documents.first {
                $0["kind"]?.string == "Tier" && $0["metadata"]?["name"]?.string == name
            }
            tiers.append(
                ReferenceTier(
                    name: name, order: definition?["spec"]?["order"]?.integer.map(Double.init) ?? .infinity,
                    closes: definition?["spec"]?["defaultAction"]?.string != "Pass"))
        }
        let last = ReferenceTier(name: "profile", kind: .profile, order: .infinity)
        return tiers.sorted { ($0.order, $0.name) < ($1.order, $1.name) } + [last]
    }
}
