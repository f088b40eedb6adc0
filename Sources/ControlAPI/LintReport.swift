// SPDX-License-Identifier: Apache-2.0

/// Body of `POST /v1/policies/lint`: files to look at together with what is in force.
package struct LintRequest: Codable, Hashable, Sendable {
    /// None: the policies in force are looked at.
    package var documents: [TextDocument]

    package init(documents: [TextDocument]) { self.documents = documents }
}

/// What `bulkhead policy lint` found.
package struct LintReport: Codable, Hashable, Sendable {
    package struct Finding: Codable, Hashable, Sendable {
        /// `kind/namespace/name`; nil: it is about the file.
        package var policy: String?
        package var diagnostic: DiagnosticRecord
        /// Why its author means it to be so (`bulkhead.dev/lintIgnore`); nil: nobody said.
        package var exemption: String?

        package init(policy: String?, diagnostic: DiagnosticRecord, exemption: String? = nil) {
            self.policy = policy
            self.diagnostic = diagnostic
            self.exemption = exemption
        }
    }

    /// Sorted by file and place.
    package var findings: [Finding]
    /// References of the policies that were looked at.
    package var policies: [String]
    /// Endpoints they were judged against; nil: none were known.
    package var workloads: Int?
    /// Rules whose other end was not asked, for there were too many questions.
    package var unjudgedRules: Int

    package init(findings: [Finding], policies: [String], workloads: Int?, unjudgedRules: Int = 0) {
        self.findings = findings
        self.policies = policies
        self.workloads = workloads
        self.unjudgedRules = unjudgedRules
    }
}
