// SPDX-License-Identifier: Apache-2.0

/// What a person needs to know about a code: why it is told, what to do, and where it helps a case.
package struct DiagnosticGuide: Hashable, Sendable {
    package let code: DiagnosticCode
    /// Why it is told; sentences.
    package let reason: String
    /// What to do; sentences.
    package let remedy: String
    /// YAML that shows it; empty: none.
    package let example: String

    init(_ code: DiagnosticCode, _ reason: String, remedy: String, example: String = "") {
        self.code = code
        self.reason = reason
        self.remedy = remedy
        self.example = example
    }

    /// One for each code, in order.
    package static let all: [DiagnosticGuide] =
        ofText + ofShape + ofValues + ofContradictions + ofRefusals + ofReading + ofRules
}

extension DiagnosticCode {
    /// Its guide; every code has one.
    package var guide: DiagnosticGuide? { DiagnosticGuide.all.first { $0.code == self } }

    /// True if a document with it is refused.
    package var isError: Bool { description < "BH2" }
}
