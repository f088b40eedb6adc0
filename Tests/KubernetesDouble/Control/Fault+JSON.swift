// SPDX-License-Identifier: Apache-2.0

extension Fault {
    /// Reads a fault as the control endpoint is told it: `{"fault": "failure", "code": 429, …}`.
    init(_ document: JSON) throws(APIError) {
        func number(_ key: String) throws(APIError) -> Int {
            guard let number = document[key]?.integer else { throw .badRequest("'\(key)' must be a whole number") }
            return number
        }
        let name = document["fault"]?.text ?? ""
        switch name {
        case "failure":
            self = .failure(
                try number("code"), reason: document["reason"]?.text ?? "InternalError",
                retryAfter: document["retryAfter"]?.integer)
        case "forbidden": self = .forbidden(user: document["user"]?.text)
        case "html": self = .html
        case "no-answer": self = .noAnswer
        case "delay": self = .delay(milliseconds: Int64(try number("milliseconds")))
        case "last-answer": self = .lastAnswer
        case "reset": self = .reset
        case "refused-watch-list": self = .refusedWatchList(code: document["code"]?.integer ?? 422)
        case "failed-watch-list": self = .failedWatchList
        case "expired-continue": self = .expiredContinue
        case "lag": self = .lag(versions: try number("versions"))
        case "first-line": self = .firstLine(document["line"]?.text ?? "")
        case "silence": self = .silence
        case "only-bookmarks": self = .onlyBookmarks
        case "coalescing": self = .coalescing(milliseconds: Int64(try number("milliseconds")))
        case "short-watches": self = .shortWatches(milliseconds: Int64(try number("milliseconds")))
        case "pieces": self = .pieces(bytes: try number("bytes"))
        default: throw .badRequest("no fault is called '\(name)'")
        }
    }
}
