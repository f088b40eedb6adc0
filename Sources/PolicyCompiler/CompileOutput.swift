// SPDX-License-Identifier: Apache-2.0

package import PolicyModel

/// What a compilation yields.
package struct CompileOutput: Hashable, Sendable {
    /// Policy entries, subjects and rules; the ipcache is the identity allocator's.
    package var state: MapState
    /// In the order of the policies.
    package var diagnostics: [RuleDiagnostic]

    package init(state: MapState, diagnostics: [RuleDiagnostic]) {
        self.state = state
        self.diagnostics = diagnostics
    }
}

/// Something about one rule that its author probably did not intend.
package struct RuleDiagnostic: Hashable, Sendable, CustomStringConvertible {
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        case selectsNoEndpoint = "selects-no-endpoint"
        case peerSelectsNothing = "peer-selects-nothing"
        case namedPortUndefined = "named-port-undefined"
        case namedPortConflicting = "named-port-conflicting"
        case prefixMissesWorkloads = "prefix-misses-workloads"
        case passUnsupported = "pass-unsupported"
        case unnumbered = "unnumbered"
    }

    package var kind: Kind
    package var origin: RuleOrigin
    /// Cause and remedy, lower-case.
    package var message: String

    package init(kind: Kind, origin: RuleOrigin, message: String) {
        self.kind = kind
        self.origin = origin
        self.message = message
    }

    /// `file:line:column: CiliumNetworkPolicy/shop/api ingress[0]: message`.
    package var description: String { "\(origin.source.text): \(origin.text): \(message)" }
}
