// SPDX-License-Identifier: Apache-2.0

/// One way in which servers, or what stands before them, fail their clients.
package enum Fault: Sendable {
    // Answers that are none.

    /// A `Status` in place of an answer: 401, 403, 429, 500, 503 …
    case failure(Int, reason: String, retryAfter: Int? = nil)
    /// 403 as access rules tell it, to one user or to all.
    case forbidden(user: String? = nil)
    /// 200 with a page for people.
    case html
    /// Whatever is given here.
    case answer(Answer)
    /// The request is read and nothing follows.
    case noAnswer
    /// The answer comes later.
    case delay(milliseconds: Int64)
    /// The answer is the last one of its connection: `Connection: close`, with HTTP/2 GOAWAY.
    case lastAnswer
    /// The connection is reset in place of an answer.
    case reset

    // Lists and watches that are refused or old.

    /// Watch-lists are refused before they begin: 422 of a server that has them switched off, or 400.
    case refusedWatchList(code: Int)
    /// Watch-lists begin with 200 and an ERROR event: a server whose store cannot do them.
    case failedWatchList
    /// Continue tokens are not known any more.
    case expiredContinue
    /// What is served is so many versions old: a server that lags behind the others.
    case lag(versions: Int)

    // Watches that run; these last until they are cleared.

    /// A line with which watches begin, whatever it says.
    case firstLine(String)
    /// Nothing is told, no bookmark either. With a resource: its changes come later than those of others.
    case silence
    /// Bookmarks are told and changes are not; those follow when this is over.
    case onlyBookmarks
    /// Changes wait so long, and of several of one object the last is told.
    case coalescing(milliseconds: Int64)
    /// Watches end after this time, whatever they asked for.
    case shortWatches(milliseconds: Int64)
    /// Bodies go out in pieces of this many bytes.
    case pieces(bytes: Int)
}

/// A fault and what it applies to.
struct PlacedFault: Sendable {
    var number: Int
    var fault: Fault
    /// Plural of a resource; nil for all, and for what is no resource.
    var plural: String?
    var verb: Verb?
    /// How many requests it still applies to; nil for all to come.
    var timesLeft: Int?

    func applies(to plural: String?, _ verb: Verb) -> Bool {
        (self.plural == nil || self.plural == plural) && (self.verb == nil || self.verb == verb)
    }
}
