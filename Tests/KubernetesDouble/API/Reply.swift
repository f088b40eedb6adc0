// SPDX-License-Identifier: Apache-2.0

/// What a request is answered with.
enum Reply: Sendable {
    case answer(Answer)
    case watch(WatchPlan)
}

/// A whole answer.
package struct Answer: Sendable {
    package var code: Int
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]

    package init(code: Int, contentType: String, headers: [(name: String, value: String)] = [], body: [UInt8]) {
        self.code = code
        self.headers = [("Content-Type", contentType)] + headers
        self.body = body
    }

    package init(code: Int = 200, _ document: JSON) {
        self.init(code: code, contentType: "application/json", body: document.bytes + [0x0A])
    }

    init(_ error: APIError) {
        self.init(code: error.code, error.status)
        if let seconds = error.retryAfterSeconds { headers.append(("Retry-After", String(seconds))) }
    }
}

/// A watch that was accepted: where it begins and what it lets through.
struct WatchPlan: Sendable {
    var resource: ResourceName
    var renderer: Renderer
    var filter: ObjectFilter
    /// Objects told as added before the first change, if any are.
    var initial: [StoredObject] = []
    /// Place in the history of the first change that is told.
    var place: Int
    /// The version up to which the watch is informed at its beginning.
    var version: Int
    var wantsBookmarks: Bool
    /// Whether a bookmark tells the end of the initial objects.
    var marksInitialEnd = false
    var timeoutSeconds: Double
    /// Written before anything else, whatever they say.
    var firstLines: [String] = []
    /// Told as the last event, before any object.
    var error: APIError?
}
