// SPDX-License-Identifier: Apache-2.0

import IdentityModel

/// What keys and values of labels look like in Kubernetes (labels and selectors, "syntax and character set").
enum LabelSyntax {
    static let keyRule =
        "up to 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends, "
        + "after a DNS name and `/` if need be"
    static let valueRule = "up to 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends, or nothing"

    /// True where the labels are those of Kubernetes.
    ///
    /// A container runtime's labels hold any text.
    static func isStrict(source: String?) -> Bool {
        source == nil || source == LabelSource.any || source == LabelSource.kubernetes
    }

    static func isKey(_ key: String) -> Bool {
        // Cilium's way to name a label of the namespace.
        let prefix = WellKnownLabel.namespaceLabelPrefix
        let own = key.hasPrefix(prefix) ? key.dropFirst(prefix.count) : key[...]
        let parts = own.split(separator: "/", omittingEmptySubsequences: false)
        switch parts.count {
        case 1: return isName(parts[0].utf8)
        case 2: return isDNSName(parts[0]) && isName(parts[1].utf8)
        default: return false
        }
    }

    static func isValue(_ value: String) -> Bool { value.isEmpty || isName(value.utf8[...]) }

    /// True if no byte is a control character.
    static func isPrintable(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { $0.value >= 32 && !(127..<160).contains($0.value) }
    }

    private static func isName(_ name: Substring.UTF8View) -> Bool {
        guard let first = name.first, let last = name.last, name.count <= 63 else { return false }
        return isAlphanumeric(first) && isAlphanumeric(last)
            && name.allSatisfy { isAlphanumeric($0) || $0 == 45 || $0 == 46 || $0 == 95 }
    }

    private static func isDNSName(_ name: Substring) -> Bool {
        name.utf8.count <= 253
            && name.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { part in
                guard let first = part.utf8.first, let last = part.utf8.last, first != 45, last != 45 else {
                    return false
                }
                return part.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 45 }
            }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
    }
}
