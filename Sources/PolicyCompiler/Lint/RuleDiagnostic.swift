// SPDX-License-Identifier: Apache-2.0

package import PolicyModel

/// Something about one rule that its author probably did not intend.
package struct RuleDiagnostic: Hashable, Sendable, CustomStringConvertible {
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        case selectsNoEndpoint = "selects-no-endpoint"
        case peerSelectsNothing = "peer-selects-nothing"
        case namedPortUndefined = "named-port-undefined"
        case namedPortConflicting = "named-port-conflicting"
        case prefixMissesWorkloads = "prefix-misses-workloads"
        case unnumbered = "unnumbered"
        case contradictory = "contradictory"
        case unreachable = "unreachable"
        case shadowed = "shadowed"

        /// The stable code that scripts match and the reference explains.
        package var code: DiagnosticCode {
            switch self {
            case .selectsNoEndpoint: .selectsNoEndpoint
            case .peerSelectsNothing: .peerSelectsNothing
            case .namedPortUndefined: .namedPortUndefined
            case .namedPortConflicting: .namedPortConflicting
            case .prefixMissesWorkloads: .prefixMissesWorkloads
            case .unnumbered: .unnumbered
            case .contradictory: .contradictory
            case .unreachable: .unreachable
            case .shadowed: .shadowed
            }
        }
    }

    package var kind: Kind
    package var origin: RuleOrigin
    /// What is so, and why; lower-case.
    package var message: String
    /// What to do about it; lower-case.
    package var remedy: String

    package init(kind: Kind, origin: RuleOrigin, message: String, remedy: String) {
        self.kind = kind
        self.origin = origin
        self.message = message
        self.remedy = remedy
    }

    /// `file:line:column: CiliumNetworkPolicy/shop/api ingress[0]: message; remedy`.
    package var description: String { "\(origin.source.text): \(origin.text): \(message); \(remedy)" }

    /// The same as a diagnostic of the document, a warning with its place and code.
    package var diagnostic: Diagnostic {
        Diagnostic(
            severity: .warning, code: kind.code, location: origin.source, message: "\(origin.text): \(message)",
            remedy: remedy)
    }
}

extension [RuleDiagnostic] {
    /// These, and of `others` those that are not among them.
    package func adding(_ others: [RuleDiagnostic]) -> [RuleDiagnostic] {
        let known = Set(self)
        return self + others.filter { !known.contains($0) }
    }
}
