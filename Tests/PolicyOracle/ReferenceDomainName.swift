// SPDX-License-Identifier: Apache-2.0

/// Whether a DNS name is meant, by the letter of the dialects: characters compared one by one, without regard to case.
enum ReferenceDomainName {
    /// An element of Cilium's `toFQDNs`: nothing but stars is every name, a `*` any characters of a label, two or more stars
    /// as the first label one or more labels.
    static func isMeant(byCilium element: CaseNode, _ name: String) -> Bool {
        if let wanted = element["matchName"]?.string { return labels(wanted) == labels(name) }
        guard let pattern = element["matchPattern"]?.string else { return false }
        if pattern == "." { return false }
        if pattern.split(separator: ".").joined().allSatisfy({ $0 == "*" }), labels(pattern).count == 1 { return true }
        let wanted = labels(pattern), own = labels(name)
        guard let first = wanted.first, first.count > 1, first.allSatisfy({ $0 == "*" }) else {
            return isMeant(wanted, own)
        }
        // One label or more, then the rest.
        return own.indices.dropFirst().contains { isMeant(Array(wanted.dropFirst()), Array(own[$0...])) }
            || wanted.count == 1
    }

    /// An entry of `domainNames`: a first label `*` stands for one or more.
    static func isMeant(byAdmin text: String, _ name: String) -> Bool {
        guard text.hasPrefix("*.") else { return labels(text) == labels(name) }
        let zone = labels(String(text.dropFirst(2))), own = labels(name)
        return own.count > zone.count && Array(own.suffix(zone.count)) == zone
    }

    /// An entry of Calico's `domains`: a label `*`, of which there is one at most, stands for one or more.
    static func isMeant(byCalico text: String, _ name: String) -> Bool {
        let wanted = labels(text), own = labels(name)
        guard let star = wanted.firstIndex(of: "*") else { return wanted == own }
        return own.count >= wanted.count && Array(own.prefix(star)) == Array(wanted.prefix(star))
            && Array(own.suffix(wanted.count - star - 1)) == Array(wanted.suffix(wanted.count - star - 1))
    }

    private static func isMeant(_ wanted: [String], _ own: [String]) -> Bool {
        wanted.count == own.count && zip(wanted, own).allSatisfy { isMeant(Array($0), Array($1)) }
    }

    /// A star is left out, or takes one character and stays.
    private static func isMeant(_ wanted: [Character], _ own: [Character]) -> Bool {
        guard let first = wanted.first else { return own.isEmpty }
        if first == "*" {
            return isMeant(Array(wanted.dropFirst()), own)
                || !own.isEmpty && isMeant(wanted, Array(own.dropFirst()))
        }
        return own.first == first && isMeant(Array(wanted.dropFirst()), Array(own.dropFirst()))
    }

    private static func labels(_ name: String) -> [String] {
        name.lowercased().split(separator: ".").map(String.init)
    }
}
