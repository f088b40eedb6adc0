// SPDX-License-Identifier: Apache-2.0

import PolicyModel

/// Which file defines which policy: one file each.
///
/// Kept up to date file by file, so that a changed file costs what it holds.
struct PolicyDefinitions: Sendable {
    private struct Definition: Sendable {
        var file: String
        var policy: Policy
    }

    private var definitions: [PolicyReference: Definition] = [:]

    var count: Int { definitions.count }

    var references: some Collection<PolicyReference> { definitions.keys }

    subscript(reference: PolicyReference) -> Policy? { definitions[reference]?.policy }

    /// The file that defines a policy.
    func holder(of reference: PolicyReference) -> String? { definitions[reference]?.file }

    /// Why some of these files cannot hold what is new in them together with everything else: another file defines it.
    ///
    /// Who has a policy keeps it; of two files to which it is new, the one that sorts first gets it. A file is a unit:
    /// one that is refused keeps all that it holds, which may refuse others.
    func conflicts(_ news: [String: [Policy]]) -> [String: [Diagnostic]] {
        var refused: [String: [Diagnostic]] = [:]
        while true {
            let found = nextConflicts(news.filter { refused[$0.key] == nil })
            if found.isEmpty { return refused }
            refused.merge(found) { $0 + $1 }
        }
    }

    private func nextConflicts(_ news: [String: [Policy]]) -> [String: [Diagnostic]] {
        var found: [String: [Diagnostic]] = [:]
        var claims: [PolicyReference: Definition] = [:]
        for (file, policies) in news.sorted(by: { $0.key < $1.key }) {
            for policy in policies {
                let holder = definitions[policy.reference]
                if let holder, news[holder.file] == nil {
                    found[file, default: []].append(.duplicate(policy, of: holder.policy))
                } else if let other = claims[policy.reference] {
                    let (loser, lost, kept) =
                        holder?.file == file ? (other.file, other.policy, policy) : (file, policy, other.policy)
                    found[loser, default: []].append(.duplicate(lost, of: kept))
                    if loser == other.file { claims[policy.reference] = Definition(file: file, policy: policy) }
                } else {
                    claims[policy.reference] = Definition(file: file, policy: policy)
                }
            }
        }
        return found
    }

    /// Makes files hold these policies, and no others; there must be no conflict.
    ///
    /// `old`: the references that each file held. Returns those whose policy is another one now, or none any more.
    mutating func replace(
        _ old: [String: [PolicyReference]], with news: [String: [Policy]]
    ) -> Set<PolicyReference> {
        var before: [PolicyReference: Policy] = [:]
        for file in news.keys {
            for reference in old[file] ?? [] { before[reference] = definitions.removeValue(forKey: reference)?.policy }
        }
        var touched = Set(before.keys)
        for (file, policies) in news {
            for policy in policies {
                definitions[policy.reference] = Definition(file: file, policy: policy)
                if before[policy.reference] == policy {
                    touched.remove(policy.reference)
                } else {
                    touched.insert(policy.reference)
                }
            }
        }
        return touched
    }
}
