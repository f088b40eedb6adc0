// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import PolicyModel

/// Addresses outside that rules know by name: one stands for all that a name selector means and no narrower one does.
struct NamedWorld {
    /// `*.example.org`; with the family where rules for everybody outside tell the families apart.
    let text: String
    let side: ExplainedSide

    /// One for each selector, or for each family of it.
    ///
    /// `selectors`: to be stood for, of `all` that rules name. `prefixes`: what rules tell apart besides; the address is in
    /// none of them but those of a whole family, for that is where most of the world is.
    static func all(
        _ selectors: some Sequence<NameSelector>, of all: Set<NameSelector>, prefixes: [CIDR]
    ) -> [NamedWorld] {
        let whole: Set<CIDR> = [.allIPv4, .allIPv6]
        let narrow = prefixes.filter { !whole.contains($0) }
        let isSplit = whole.intersection(prefixes).count == 1
        let addresses = [(CIDR.allIPv4, " over IPv4"), (.allIPv6, " over IPv6")].prefix(isSplit ? 2 : 1).map {
            (family, word) in (family.subtracting(narrow).first?.address, isSplit ? word : "")
        }
        return selectors.flatMap { selector in
            addresses.map { address, word in
                NamedWorld(
                    text: "\(selector)\(word)",
                    side: .world(address, names: [selector.example(outside: all)].compactMap(\.self)))
            }
        }
    }
}

extension NameSelector {
    /// A name that it means and none of the others does, unless they mean all of its names; nil: there is hardly one.
    fileprivate func example(outside others: Set<NameSelector>) -> DomainName? {
        guard extent != .exact else { return name }
        let labels = extent == .one ? ["any"] : ["any", "of"]
        let exact = Set(others.filter { $0.extent == .exact }.map(\.name))
        return (0...exact.count).lazy.compactMap { number in
            DomainName(wire: wire(number == 0 ? labels : ["any\(number)"] + labels.dropFirst()) + name.wire)
        }.first { !exact.contains($0) }
    }

    private func wire(_ labels: [String]) -> [UInt8] {
        labels.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
    }
}
