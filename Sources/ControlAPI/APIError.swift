// SPDX-License-Identifier: Apache-2.0

/// An error as the API returns it.
///
/// Only the code counts for programs; the message is for people.
package struct APIError: Error, Codable, Hashable, Sendable, CustomStringConvertible {
    /// Stable codes; each has one HTTP status and one exit code of the CLI.
    package enum Code: String, Codable, Sendable, CaseIterable {
        /// The request makes no sense (400).
        case badRequest = "bad-request"
        /// The caller may read but not change (403).
        case forbidden
        /// No such endpoint, policy, map or route (404).
        case notFound = "not-found"
        /// A document has errors; `diagnostics` lists them (422).
        case invalidPolicy = "invalid-policy"
        /// Refused for the caller's protection; `force` overrides (409).
        case refused
        /// The kernel or the disk did not take the change; the old state is in force (500).
        case commitFailed = "commit-failed"
        /// The agent is starting or stopping (503).
        case unavailable
    }

    package var code: Code
    /// Object, cause, remedy; lower-case.
    package var message: String
    package var diagnostics: [DiagnosticRecord]

    package init(_ code: Code, _ message: String, diagnostics: [DiagnosticRecord] = []) {
        self.code = code
        self.message = message
        self.diagnostics = diagnostics
    }

    package var description: String { ([message] + diagnostics.map(\.text)).joined(separator: "\n") }

    /// The HTTP status of the answer.
    package var status: Int {
        switch code {
        case .badRequest: 400
        case .forbidden: 403
        case .notFound: 404
        case .invalidPolicy: 422
        case .refused: 409
        case .commitFailed: 500
        case .unavailable: 503
        }
    }
}
