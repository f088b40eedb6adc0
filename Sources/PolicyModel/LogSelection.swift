// SPDX-License-Identifier: Apache-2.0

package import IdentityModel

/// Which verdicts a document (`PolicyLogging`), or the configuration, wants written to the policy log.
package struct LogSelection: Hashable, Sendable {
    /// What was decided, in the words of the log.
    package enum Disposition: String, Hashable, Sendable, CaseIterable {
        case allow, deny
        /// Allowed, but would be denied outside audit mode.
        case audit
    }

    package var dispositions: Set<Disposition>
    /// Only verdicts of policies that say so themselves.
    package var isOfAnnotatedOnly: Bool
    /// Of the workloads that the verdict speaks of; empty: all.
    package var namespaces: Set<String>
    /// What the labels of those workloads must be; nil: whatever they are.
    package var workloads: LabelSelector?
    /// What exceeds it is counted and not written.
    package var linesPerSecond: Int

    package init(
        dispositions: Set<Disposition> = Set(Disposition.allCases), isOfAnnotatedOnly: Bool = false,
        namespaces: Set<String> = [], workloads: LabelSelector? = nil,
        linesPerSecond: Int = LogSelection.defaultLinesPerSecond
    ) {
        self.dispositions = dispositions
        self.isOfAnnotatedOnly = isOfAnnotatedOnly
        self.namespaces = namespaces
        self.workloads = workloads
        self.linesPerSecond = linesPerSecond
    }

    package static let defaultLinesPerSecond = 500
    package static let linesPerSecondRange = 1...100_000
}

extension LogSelection: CustomStringConvertible {
    /// `allow, deny of annotated policies in shop, at most 500 lines a second`.
    package var description: String {
        let whose = isOfAnnotatedOnly ? "annotated policies" : "all policies"
        let place = namespaces.isEmpty ? "" : " in \(namespaces.sorted().joined(separator: ", "))"
        let which = workloads.map { " for \($0)" } ?? ""
        return dispositions.map(\.rawValue).sorted().joined(separator: ", ")
            + " of \(whose)\(place)\(which), at most \(linesPerSecond) lines a second"
    }
}
