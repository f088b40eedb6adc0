// SPDX-License-Identifier: Apache-2.0

/// Which DNS names a rule is about: one name, or those that end in one.
package struct NameSelector: Hashable, Sendable {
    package enum Extent: Hashable, Sendable {
        /// The name itself.
        case exact
        /// Names with one more label: `*.example.org`.
        case one
        /// Names with one or more more labels: `**.example.org`; of the root: every name, `*`.
        case deep
        /// Names with these labels before it: `api-*.example.org`.
        case glob(NameGlob)
    }

    package let extent: Extent
    package let name: DomainName

    package init(_ extent: Extent, _ name: DomainName) {
        self.extent = extent
        self.name = name
    }

    /// Every name.
    package static let all = NameSelector(.deep, .root)

    /// Reads the form that `description` writes, letters in any case, with or without a dot at the end; nil if it is
    /// none, no name can be meant, or its patterned labels take more room than there is (`NameGlob.stateCountMax`).
    package init?(_ text: some StringProtocol) {
        let body = text.hasSuffix(".") ? text.dropLast() : text[...]
        if body == "*" {
            self = .all
            return
        }
        let labels = body.split(separator: ".", omittingEmptySubsequences: false)
        let count = labels.lastIndex { $0.contains("*") }.map { $0 + 1 } ?? 0
        let rest = labels.dropFirst(count)
        guard let name = rest.isEmpty ? .root : DomainName(rest.joined(separator: ".")) else { return nil }
        switch labels.prefix(count) {
        case []: self.init(.exact, name)
        case ["*"]: self.init(.one, name)
        case ["**"]: self.init(.deep, name)
        case let patterned:
            guard let glob = NameGlob(Array(patterned)), glob.byteCountMin + name.wire.count <= 254 else { return nil }
            self.init(.glob(glob), name)
        }
    }

    /// True if the rule is about this name.
    package func matches(_ other: DomainName) -> Bool {
        guard let count = other.labelCount(before: name) else { return false }
        switch extent {
        case .exact: return count == 0
        case .one: return count == 1
        case .deep: return count >= 1
        case .glob(let glob): return glob.matches(other.labels.prefix(count))
        }
    }

    /// The labels before the name, of a pattern with a `*` inside; nil of all others.
    package var glob: NameGlob? {
        if case .glob(let glob) = extent { glob } else { nil }
    }
}

extension NameSelector: CustomStringConvertible {
    /// `example.org`, `*.example.org`, `**.example.org`, `api-*.example.org`, `*`.
    package var description: String {
        guard self != .all else { return "*" }
        let labels: String? =
            switch extent {
            case .exact: nil
            case .one: "*"
            case .deep: "**"
            case .glob(let glob): glob.description
            }
        return [labels, name == .root && labels != nil ? nil : name.description].compactMap(\.self)
            .joined(separator: ".")
    }
}

extension NameSelector: Comparable {
    package static func < (a: NameSelector, b: NameSelector) -> Bool {
        a.name == b.name ? a.extent.sortKey < b.extent.sortKey : a.name < b.name
    }
}

extension NameSelector.Extent {
    fileprivate var sortKey: (Int, String) {
        switch self {
        case .exact: (0, "")
        case .one: (1, "")
        case .deep: (2, "")
        case .glob(let glob): (3, glob.description)
        }
    }
}
