// SPDX-License-Identifier: Apache-2.0

/// Whether a DNS name is meant, by the letter of the dialects: labels compared one by one, without regard to case.
enum ReferenceDomainName {
    /// An element of Cilium's `toFQDNs`: `*` is every name, a first label `*` one label, `**` one or more.
    static func isMeant(byCilium element: CaseNode, _ name: String) -> Bool {
        if let wanted = element["matchName"]?.string { return labels(wanted) == labels(name) }
        guard let pattern = element["matchPattern"]?.string else { return false }
        if pattern == "*" { return true }
        let wanted = labels(pattern), own = labels(name)
        let zone = Array(wanted.dropFirst())
        switch wanted.first {
        case "*": return own.count == zone.count + 1 && Array(own.suffix(zone.count)) == zone
        case "**": return own.count > zone.count && Array(own.suffix(zone.count)) == zone
        default: return own == wanted
        }
    }

    /// An entry of `domainNames`: a first label `*` stands for one or more.
    static func isMeant(byAdmin text: String, _ name: String) -> Bool {
        guard text.hasPrefix("*.") else { return labels(text) == labels(name) }
        let zone = labels(String(text.dropFirst(2))), own = labels(name)
        return own.count > zone.count && Array(own.suffix(zone.count)) == zone
    }

    private static func labels(_ name: String) -> [String] {
        name.lowercased().split(separator: ".").map(String.init)
    }
}
