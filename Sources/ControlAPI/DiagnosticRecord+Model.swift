// SPDX-License-Identifier: Apache-2.0

package import PolicyModel

extension DiagnosticRecord {
    /// A diagnostic of the policy reader as the API shows it.
    package init(_ diagnostic: Diagnostic) {
        let place = diagnostic.path.isEmpty ? "" : " (\(diagnostic.path))"
        self.init(
            severity: diagnostic.severity.rawValue, code: diagnostic.code.description,
            file: diagnostic.location.file, line: diagnostic.location.line, column: diagnostic.location.column,
            message: diagnostic.message + place, excerpt: diagnostic.excerpt?.line, remedy: diagnostic.remedy)
    }
}
