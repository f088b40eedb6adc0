// SPDX-License-Identifier: Apache-2.0

/// Policies from several documents, one for each reference.
package struct PolicySet: Hashable, Sendable {
    private var byReference: [PolicyReference: Policy] = [:]

    /// No policy.
    package init() {}

    /// Sorted by reference, so that the same policies give the same list whatever the order of files.
    package var policies: [Policy] { byReference.values.sorted { $0.reference < $1.reference } }

    package var count: Int { byReference.count }

    package subscript(reference: PolicyReference) -> Policy? { byReference[reference] }

    /// Adds policies; one whose reference is taken is left out and reported, naming both places.
    package mutating func merge(_ policies: some Sequence<Policy>) -> [Diagnostic] {
        var diagnostics: [Diagnostic] = []
        for policy in policies {
            guard let first = byReference[policy.reference] else {
                byReference[policy.reference] = policy
                continue
            }
            diagnostics.append(.duplicate(policy, of: first))
        }
        return diagnostics
    }

    /// Removes a policy; false if there was none.
    @discardableResult
    package mutating func remove(_ reference: PolicyReference) -> Bool {
        byReference.removeValue(forKey: reference) != nil
    }
}

extension Diagnostic {
    /// Says that a policy does not count because another one has its reference, naming both places.
    package static func duplicate(_ policy: Policy, of first: Policy) -> Diagnostic {
        Diagnostic(
            severity: .error, code: .duplicatePolicy, location: policy.source,
            message: "\(policy.reference.text) is defined twice",
            remedy: "rename one of the two or delete it; a policy is replaced by changing it in place",
            related: [.init(message: "first defined here", location: first.source)])
    }
}
