// SPDX-License-Identifier: Apache-2.0

/// What goes wrong, until it is set otherwise.
package struct Faults: Sendable {
    package struct Failure: Sendable {
        package var status: Int
        package var reason: String
        package var retryAfter: Int?

        package init(_ status: Int, _ reason: String = "", retryAfter: Int? = nil) {
            self.status = status
            self.reason = reason
            self.retryAfter = retryAfter
        }
    }

    package enum WatchListRefusal: Sendable {
        /// As a server says that knows the parameters and has them switched off.
        case status
        /// As one says whose store cannot do it: 200, then an event.
        case event
    }

    package init() {}

    /// Requests about kinds, by their plural; `*`: about all.
    package var failures: [String: Failure] = [:]
    /// How many requests fail so; nil: all of them.
    package var failuresLeft: Int?
    package var refusesWatchList: WatchListRefusal?
    /// Tokens to go on with are not known any more, once.
    package var expiresContinueTokens = false
    /// 200 with a page for people.
    package var answersHTML = false
    /// Watches are open and say nothing at all.
    package var isSilent = false
    /// Watches say bookmarks only; what happens is told afterwards.
    package var onlyBookmarks = false
    /// Watches end after so many seconds whatever was asked for.
    package var watchSeconds: Int?
    /// Bodies are sent in pieces of so many bytes.
    package var pieceBytes: Int?
    /// Who does not send it is not known.
    package var token: String?
    /// A line that every watch begins with.
    package var firstLine: String?
    /// Newest versions are not seen, as of a server that lags behind: so many.
    package var lag = 0
}
