// SPDX-License-Identifier: Apache-2.0

import PolicyModel

/// Which file defines which policy; of several with one reference the one in the file that sorts first counts.
///
/// Kept up to date file by file, so that a changed file costs what it holds.
struct PolicyDefinitions: Sendable {
    private struct Definition: Sendable {
        var file: String
        var policy: Policy
    }

    private var first: [PolicyReference: Definition] = [:]
    /// Those that do not count, in the order of their files.
    private var others: [PolicyReference: [Definition]] = [:]

    /// Number of policies that count.
    var count: Int { first.count }

    var references: some Collection<PolicyReference> { first.keys }

    /// The policy that counts.
    subscript(reference: PolicyReference) -> Policy? { first[reference]?.policy }

    /// Makes a file hold these policies instead of the ones with the references of `old`.
    ///
    /// Returns the references whose policy is another one now, or none any more.
    mutating func replace(_ old: [PolicyReference], with policies: [Policy], in file: String) -> Set<PolicyReference> {
        let kept = Set(policies.map(\.reference))
        var touched: Set<PolicyReference> = []
        for reference in old where !kept.contains(reference) {
            if take(reference, from: file) { touched.insert(reference) }
        }
        for policy in policies where put(Definition(file: file, policy: policy)) { touched.insert(policy.reference) }
        return touched
    }

    /// What is wrong with policies that do not count, by file.
    var duplicates: [(file: String, diagnostic: Diagnostic)] {
        others.sorted { $0.key < $1.key }.flatMap { reference, definitions in
            definitions.compactMap { definition in
                self[reference].map { (definition.file, .duplicate(definition.policy, of: $0)) }
            }
        }
    }

    /// True if the policy that counts is another one now.
    private mutating func put(_ definition: Definition) -> Bool {
        let reference = definition.policy.reference
        let before = first[reference]
        guard let before, before.file != definition.file else {
            first[reference] = definition
            return before?.policy != definition.policy
        }
        var rest = (others[reference] ?? []).filter { $0.file != definition.file }
        let isFirst = definition.file < before.file
        rest.append(isFirst ? before : definition)
        others[reference] = rest.sorted { $0.file < $1.file }
        if isFirst { first[reference] = definition }
        return isFirst && before.policy != definition.policy
    }

    /// True if the policy that counts is another one now, or none.
    private mutating func take(_ reference: PolicyReference, from file: String) -> Bool {
        var rest = others.removeValue(forKey: reference) ?? []
        let isFirst = first[reference]?.file == file
        if isFirst {
            first[reference] = rest.isEmpty ? nil : rest.removeFirst()
        } else {
            rest.removeAll { $0.file == file }
        }
        if !rest.isEmpty { others[reference] = rest }
        return isFirst
    }
}
