// SPDX-License-Identifier: Apache-2.0

/// Why a request to the API server failed.
package struct KubernetesError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Kind: Hashable, Sendable {
        /// No answer: no connection, it broke, nobody spoke for too long.
        case unreachable
        /// The server does not know who asks (401).
        case unauthorized
        /// Who asks may not (403).
        case forbidden
        /// No such object, or no such kind (404).
        case notFound
        /// It was changed meanwhile, or is there already (409).
        case conflict
        /// The version to go on from is forgotten: list again (410).
        case expired
        /// The server is busy (429), or not ready (5xx): `retryAfter` says for how long.
        case busy
        /// The request is wrong (400, 422, others of 4xx).
        case refused
        /// The answer is not what an API server says.
        case malformed
        /// The configuration cannot be used.
        case configuration
    }

    package var kind: Kind
    /// What, for people.
    package var message: String
    /// Seconds that the server asks to wait.
    package var retryAfter: Double?
    /// Of the answer; nil: there was none.
    package var status: Int?

    package init(_ kind: Kind, _ message: String, status: Int? = nil, retryAfter: Double? = nil) {
        self.kind = kind
        self.message = message
        self.status = status
        self.retryAfter = retryAfter
    }

    package var description: String { message }
}

extension KubernetesError {
    /// What an answer with this status and body says.
    package init(status: Int, body: ArraySlice<UInt8>, retryAfter: Double?, request: String) {
        let answer = APIStatus(body)
        // A proxy's page is no sentence for people.
        let reason = answer.map { $0.message ?? $0.reason ?? "" } ?? KubernetesError.excerpt(body)
        let message = "\(request): the server answers \(status)" + (reason.isEmpty ? "" : ": \(reason)")
        self.init(
            KubernetesError.kind(status: status, reason: answer?.reason), message, status: status,
            retryAfter: retryAfter ?? answer?.retryAfter)
    }

    private static func kind(status: Int, reason: String?) -> Kind {
        switch status {
        case 401: .unauthorized
        case 403: .forbidden
        case 404: .notFound
        case 409: .conflict
        case 410: .expired
        case 429, 500...599: .busy
        case 200: reason == "Expired" || reason == "Gone" ? .expired : .refused
        default: .refused
        }
    }

    /// The beginning of a text that was not expected, on one line.
    package static func excerpt(_ body: ArraySlice<UInt8>) -> String {
        let text = String(decoding: body.prefix(200), as: UTF8.self)
        return text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }
}
