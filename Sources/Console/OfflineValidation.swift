// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import PolicyModel
import PolicyReading

/// Reads documents the way the agent does, without one.
enum OfflineValidation {
    static func validate(_ document: PolicyDocument) -> ValidationReport {
        let result = PolicyReader().read(bytes: document.text, file: document.name)
        return ValidationReport(
            isValid: !result.hasErrors, policies: result.policies.map(\.reference.text),
            diagnostics: result.diagnostics.map(DiagnosticRecord.init))
    }
}
