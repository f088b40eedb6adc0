// SPDX-License-Identifier: Apache-2.0

package import NetworkModel
package import PolicyModel

/// Names as the documents in question write them: what Cilium's call `**.example.org`, Calico's and admin policies call
/// `*.example.org`.
package struct NameWording: Hashable, Sendable {
    private var texts: [NameSelector: String] = [:]

    /// `policies` are all that may name something.
    ///
    /// Where one text would stand for two selectors, or documents of both languages share one, it stays as Cilium's have it.
    package init(_ policies: some Sequence<Policy>) {
        var ofCilium: Set<NameSelector> = [], ofOthers: Set<NameSelector> = []
        for policy in policies {
            if policy.reference.language == .cilium {
                ofCilium.formUnion(policy.names)
            } else {
                ofOthers.formUnion(policy.names)
            }
        }
        let taken = Set(ofCilium.union(ofOthers).map(\.description))
        for name in ofOthers.subtracting(ofCilium) {
            let text = name.textOfOthers
            if !taken.contains(text) { texts[name] = text }
        }
    }

    /// `*.example.org`.
    package func text(_ name: NameSelector) -> String { texts[name] ?? name.description }
}

extension NameSelector {
    /// In the languages where a star is one label or more.
    fileprivate var textOfOthers: String {
        description.split(separator: ".", omittingEmptySubsequences: false).map { $0 == "**" ? "*" : $0 }
            .joined(separator: ".")
    }
}
