// SPDX-License-Identifier: Apache-2.0

import PolicyModel

/// Reads a Calico Tier: its place among the tiers and what becomes of those that none of its rules decides.
struct CalicoTierReading {
    let header: PolicyHeader

    /// What the default tier is, and may only be said to be.
    private static let defaultOrder = 1_000_000.0

    func read(_ document: Mapping) -> PolicyContent {
        var content = PolicyContent()
        let name = header.reference.name
        if let nameField = document["metadata"]?.child("name"), CalicoTier.reserved.contains(name) {
            nameField.error(
                .invalidTier, "tier `\(name)` is there already, for admin policies of Kubernetes",
                remedy: "give the tier another name")
        }
        let spec = document["spec"]?.mapping(FieldTable(["order", "defaultAction"]))
        let orderField = spec?["order"]
        let order = orderField.flatMap { $0.decimal() }
        let closes = spec?["defaultAction"].map(closes) ?? true
        guard name == "default" else {
            content.definedTier = TierDefinition(name: name, order: order, closes: closes)
            return content
        }
        if let order, order != CalicoTierReading.defaultOrder {
            orderField?.error(
                .invalidTier, "the default tier has order 1000000",
                remedy: "delete the field, or give the tier another name")
        }
        if !closes {
            spec?["defaultAction"]?.error(
                .invalidTier, "the default tier ends with Deny for those whom a policy selects",
                remedy: "delete the field, or give the tier another name")
        }
        return content
    }

    private func closes(_ field: Field) -> Bool {
        switch field.string() {
        case "Deny", nil: return true
        case "Pass": return false
        case .some(let text):
            let guess = closestWord(to: text, among: ["Deny", "Pass"])
            field.error(
                .unknownValue, "\(field.quoted) is not a default action",
                remedy: guess.map { "did you mean `\($0)`?" } ?? "write Deny or Pass")
            return true
        }
    }
}
