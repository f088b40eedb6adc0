// SPDX-License-Identifier: Apache-2.0

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
