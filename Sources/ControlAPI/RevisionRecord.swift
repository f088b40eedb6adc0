// SPDX-License-Identifier: Apache-2.0

/// One change of the policies that were applied through the API.
package struct RevisionRecord: Codable, Hashable, Sendable {
    /// What brought it about.
    package enum Action: String, Codable, Sendable {
        case apply
        case delete
        /// Somebody brought back the policies of `target`.
        case rollback
        /// The agent did, because nobody confirmed the revision before in time.
        case unconfirmed
    }

    /// From 1, without gaps.
    package var number: Int
    /// RFC 3339.
    package var at: String
    /// Whose process asked for it; nil: the agent did it by itself.
    package var userID: UInt32?
    package var action: Action
    /// The revision whose policies this one brought back.
    package var target: Int?
    /// References of policies that are new, differ, or are gone.
    package var added: [String]
    package var changed: [String]
    package var removed: [String]

    package init(
        number: Int, at: String, userID: UInt32?, action: Action, target: Int? = nil, added: [String] = [],
        changed: [String] = [], removed: [String] = []
    ) {
        self.number = number
        self.at = at
        self.userID = userID
        self.action = action
        self.target = target
        self.added = added
        self.changed = changed
        self.removed = removed
    }
}

/// Answer of `GET /v1/history`.
package struct HistoryReport: Codable, Hashable, Sendable {
    /// Newest first, no more than were asked for.
    package var revisions: [RevisionRecord]
    /// How many are kept.
    package var kept: Int
    /// The number of the oldest revision that `rollback` can bring back; 0: the time before the first.
    package var oldestReachable: Int
    /// The newest revision, if it waits to be confirmed.
    package var confirmation: ConfirmationReport?

    package init(
        revisions: [RevisionRecord], kept: Int, oldestReachable: Int, confirmation: ConfirmationReport? = nil
    ) {
        self.revisions = revisions
        self.kept = kept
        self.oldestReachable = oldestReachable
        self.confirmation = confirmation
    }
}

/// Answer of `GET /v1/history/N`: a revision with the documents it replaced.
package struct RevisionDetail: Codable, Hashable, Sendable {
    /// One policy; nil: there was none, or there is none any more.
    package struct Change: Codable, Hashable, Sendable {
        package var policy: String
        package var before: String?
        package var after: String?

        package init(policy: String, before: String?, after: String?) {
            self.policy = policy
            self.before = before
            self.after = after
        }
    }

    package var revision: RevisionRecord
    package var changes: [Change]

    package init(revision: RevisionRecord, changes: [Change]) {
        self.revision = revision
        self.changes = changes
    }
}

/// A revision that the agent takes back unless somebody confirms it.
package struct ConfirmationReport: Codable, Hashable, Sendable {
    package var revision: Int
    /// The revision whose policies come back.
    package var rollbackTo: Int
    /// RFC 3339.
    package var deadline: String
    package var secondsLeft: Double

    package init(revision: Int, rollbackTo: Int, deadline: String, secondsLeft: Double) {
        self.revision = revision
        self.rollbackTo = rollbackTo
        self.deadline = deadline
        self.secondsLeft = secondsLeft
    }
}
