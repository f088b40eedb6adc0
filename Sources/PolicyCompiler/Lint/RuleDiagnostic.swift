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
        case namesNotRead = "names-not-read"

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
            case .namesNotRead: .namesNotRead
            }
        }
    }

    package var kind: Kind
    package var origin: RuleOrigin
    /// What is so, and why; lower-case.
    package var message: String
    /// What to do about it; lower-case.
    package var remedy: String
    package var severity: Diagnostic.Severity

    package init(
        kind: Kind, origin: RuleOrigin, message: String, remedy: String, severity: Diagnostic.Severity = .warning
    ) {
        self.kind = kind
        self.origin = origin
        self.message = message
        self.remedy = remedy
        self.severity = severity
    }

    /// `file:line:column: CiliumNetworkPolicy/shop/api ingress[0]: message; remedy`.
    package var description: String { "\(origin.source.text): \(origin.text): \(message); \(remedy)" }

    /// The same as a diagnostic of the document, with its place and code.
    package var diagnostic: Diagnostic {
        Diagnostic(
            severity: severity, code: kind.code, location: origin.source, message: "\(origin.text): \(message)",
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

private struct Statement: Hashable {
    let kind: RuleDiagnostic.Kind
    let origin: RuleOrigin
}

extension [RuleDiagnostic] {
    /// What holds of whole rules: a document's rule with several alternatives has become several.
    ///
    /// `origins`: of all rules. That a rule has no effect is told if it holds of every part, and anything once.
    func ofWhole(_ origins: [RuleOrigin]) -> [RuleDiagnostic] {
        let partCounts = Dictionary(origins.map { ($0, 1) }, uniquingKeysWith: +)
        let counts = Dictionary(map { (Statement(kind: $0.kind, origin: $0.origin), 1) }, uniquingKeysWith: +)
        let ofAllParts: Set<RuleDiagnostic.Kind> = [.selectsNoEndpoint, .contradictory, .unreachable, .shadowed]
        var told: Set<RuleDiagnostic> = []
        var toldWhole: Set<Statement> = []
        return filter { finding in
            guard let parts = partCounts[finding.origin], parts > 1 else { return true }
            let statement = Statement(kind: finding.kind, origin: finding.origin)
            guard ofAllParts.contains(finding.kind) else { return told.insert(finding).inserted }
            return counts[statement] ?? 0 >= parts && toldWhole.insert(statement).inserted
        }
    }
}
