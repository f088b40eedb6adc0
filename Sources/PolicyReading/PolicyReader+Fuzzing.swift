// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import PolicyModel

/// Reads any bytes and checks what every reading promises; false if a promise is broken.
///
/// For the fuzzer and the mutation test: a crash, an endless loop and a false are the three ways to fail.
package func fuzzPolicyReader(_ bytes: [UInt8]) -> Bool {
    let reader = PolicyReader(options: .init(limits: YAMLLimits(nodeCountMax: 50_000)))
    let set = reader.read(bytes: bytes, file: "fuzz.yaml")
    guard set == reader.read(bytes: bytes, file: "fuzz.yaml") else { return false }
    // libyaml marks the end of a text as the line after the last.
    let lineCount = SourceText.lineCount(of: bytes) + 1
    for diagnostic in set.diagnostics {
        let place = diagnostic.location
        guard (1...lineCount).contains(place.line), place.column >= 1, !diagnostic.message.isEmpty,
            !diagnostic.rendered.isEmpty
        else { return false }
    }
    return set.policies.allSatisfy(isWellFormed)
}

/// A policy has a name and states a cause for each rule.
private func isWellFormed(_ policy: Policy) -> Bool {
    guard !policy.reference.name.isEmpty, !policy.text.isEmpty else { return false }
    return policy.rules.allSatisfy { rule in
        guard rule.origin.policy == policy.reference, rule.isAudit == policy.isAudit else { return false }
        guard case .some(let peers) = rule.peers else { return true }
        return peers.allSatisfy { peer in
            guard case .prefix(let prefix, let exceptions, _) = peer else { return true }
            return exceptions.allSatisfy { prefix.contains($0) }
        }
    }
}
