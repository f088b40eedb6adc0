// SPDX-License-Identifier: Apache-2.0

extension LabelSelector: CustomStringConvertible {
    /// Every requirement in order, separated by commas; `*` if there is none.
    package var description: String {
        requirements.isEmpty ? "*" : requirements.map(\.description).joined(separator: ",")
    }

    /// True if it matches every label set.
    package var isEmpty: Bool { requirements.isEmpty }

    /// The selector that requires both.
    package func requiring(_ more: LabelRequirement...) -> LabelSelector {
        LabelSelector(requirements + more)
    }

    /// True if some requirement is about this key, of that source or of any.
    package func mentions(source: String, key: String) -> Bool {
        requirements.contains { $0.key == key && ($0.source == source || $0.source == LabelSource.any) }
    }
}

extension LabelRequirement: CustomStringConvertible {
    /// `any:app=web`, `any:app in (a,b)`, `any:app!=web`, `any:app notin (a,b)`, `any:app`, `!any:app`.
    package var description: String {
        let name = "\(source):\(key)"
        switch operation {
        case .isIn(let values):
            return values.count == 1 ? "\(name)=\(values[0])" : "\(name) in (\(values.joined(separator: ",")))"
        case .isNotIn(let values):
            return values.count == 1 ? "\(name)!=\(values[0])" : "\(name) notin (\(values.joined(separator: ",")))"
        case .exists: return name
        case .doesNotExist: return "!\(name)"
        case .has(let place, let text): return "\(name) \(place.rawValue) '\(text)'"
        case .hasNot(let place, let text): return "not \(name) \(place.rawValue) '\(text)'"
        }
    }

    /// `key` has exactly this value.
    package static func equal(source: String, key: String, value: String) -> LabelRequirement {
        LabelRequirement(source: source, key: key, .isIn([value]))
    }
}

extension LabelSelector {
    /// Identities that carry `reserved:<name>`.
    package static func reserved(_ name: String) -> LabelSelector {
        LabelSelector([LabelRequirement(source: LabelSource.reserved, key: name, .exists)])
    }
}
