// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import PolicyModel

/// Addresses outside that rules know by name: one stands for all that a name selector means and no narrower one does.
struct NamedWorld {
    /// `*.example.org`; with the family where rules for everybody outside tell the families apart.
    let text: String
    let side: ExplainedSide

    /// Where names open nothing, as far as an example may come to lie there.
    private static let neverOpened = [
        "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/64", "64:ff9b::/96", "fe80::/10", "ff00::/8",
    ].compactMap { CIDR($0) }

    /// One for each selector, or for each family of it.
    ///
    /// `selectors`: to be stood for, of `all` that rules name. `prefixes`: what rules tell apart besides; the address is in
    /// none of them but those of a whole family, for that is where most of the world is.
    static func all(
        _ selectors: some Sequence<NameSelector>, of all: Set<NameSelector>, prefixes: [CIDR], words: NameWording
    ) -> [NamedWorld] {
        let whole: Set<CIDR> = [.allIPv4, .allIPv6]
        let narrow = prefixes.filter { !whole.contains($0) }
        let isSplit = whole.intersection(prefixes).count == 1
        let addresses = [(CIDR.allIPv4, " over IPv4"), (.allIPv6, " over IPv6")].prefix(isSplit ? 2 : 1).map {
            (family, word) in
            (family.subtracting(narrow + NamedWorld.neverOpened).first?.address, isSplit ? word : "")
        }
        return selectors.flatMap { selector in
            addresses.map { address, word in
                NamedWorld(
                    text: words.text(selector) + word,
                    side: .world(address, names: [selector.example(outside: all)].compactMap(\.self)))
            }
        }
    }
}

extension NameSelector {
    /// A name that it means and none of the others does, unless they mean all of its names; nil: there is hardly one.
    fileprivate func example(outside others: Set<NameSelector>) -> DomainName? {
        guard extent != .exact else { return name }
        let exact = Set(others.filter { $0.extent == .exact }.map(\.name))
        let globs = others.filter { $0.glob != nil && $0 != self }
        let candidates = (0...exact.count + globs.count).lazy.compactMap { number in
            DomainName(wire: wire(labels(number == 0 ? "any" : "any\(number)")) + name.wire)
        }.filter { !exact.contains($0) }
        return candidates.first { candidate in !globs.contains { $0.matches(candidate) } } ?? candidates.first
    }

    /// Labels that it means before its name.
    private func labels(_ word: String) -> [String] {
        switch extent {
        case .exact: []
        case .one: [word]
        case .deep: [word, "of"]
        case .glob(let glob):
            glob.labels.map { label in
                if label == "**" { return word }
                let fixed = label.split(separator: "*", omittingEmptySubsequences: false)
                // In the last place alone: a label has 63 characters at most.
                let filled = fixed.dropLast().joined() + (fixed.count > 1 ? word : "") + (fixed.last ?? "")
                return filled.utf8.count <= 63 ? filled : fixed.joined()
            }
        }
    }

    private func wire(_ labels: [String]) -> [UInt8] {
        labels.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
    }
}
