// SPDX-License-Identifier: Apache-2.0

/// Which DNS names a rule is about: one name, or those that end in one.
package struct NameSelector: Hashable, Sendable {
    package enum Extent: UInt8, Hashable, Sendable {
        /// The name itself.
        case exact
        /// Names with one more label: `*.example.org`.
        case one
        /// Names with one or more more labels: `**.example.org`; of the root: every name, `*`.
        case deep
    }

    package let extent: Extent
    package let name: DomainName

    package init(_ extent: Extent, _ name: DomainName) {
        self.extent = extent
        self.name = name
    }

    /// Every name.
    package static let all = NameSelector(.deep, .root)

    /// Reads the form that `description` writes; nil if it is none.
    package init?(_ text: some StringProtocol) {
        if text == "*" {
            self = .all
            return
        }
        let extent: Extent = text.hasPrefix("**.") ? .deep : text.hasPrefix("*.") ? .one : .exact
        let prefix = extent == .deep ? 3 : extent == .one ? 2 : 0
        guard let name = DomainName(text.dropFirst(prefix)) else { return nil }
        self.init(extent, name)
    }

    /// True if the rule is about this name.
    package func matches(_ other: DomainName) -> Bool {
        guard let count = other.labelCount(before: name) else { return false }
        switch extent {
        case .exact: return count == 0
        case .one: return count == 1
        case .deep: return count >= 1
        }
    }
}

extension NameSelector: CustomStringConvertible {
    /// `example.org`, `*.example.org`, `**.example.org`, `*`.
    package var description: String {
        guard self != .all else { return "*" }
        switch extent {
        case .exact: return "\(name)"
        case .one: return "*.\(name)"
        case .deep: return "**.\(name)"
        }
    }
}

extension NameSelector: Comparable {
    package static func < (a: NameSelector, b: NameSelector) -> Bool {
        a.name == b.name ? a.extent.rawValue < b.extent.rawValue : a.name < b.name
    }
}
