// SPDX-License-Identifier: Apache-2.0

/// How much a finding matters, least first.
package enum Severity: UInt8, CaseIterable, Comparable, Hashable, Sendable {
    /// Worth knowing, needs nobody.
    case info
    /// Reconnaissance: somebody looks around.
    case low
    /// Somebody tries to get in or to harm.
    case medium
    /// Harm is being done, or a workload behaves as if it were taken over.
    case high
    /// Service is being denied, or spread is under way.
    case critical

    package static func < (left: Severity, right: Severity) -> Bool { left.rawValue < right.rawValue }
}

extension Severity: CustomStringConvertible {
    /// Lower-case name, as in JSON and on the command line.
    package var description: String {
        switch self {
        case .info: "info"
        case .low: "low"
        case .medium: "medium"
        case .high: "high"
        case .critical: "critical"
        }
    }

    /// From its name; nil for any other word.
    package init?(_ text: String) {
        guard let found = Severity.allCases.first(where: { $0.description == text }) else { return nil }
        self = found
    }
}
