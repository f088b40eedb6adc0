// SPDX-License-Identifier: Apache-2.0

/// Answer of `GET /v1/rules/unused`: rules that no packet met for a time.
///
/// Times are seconds in which the kernel counted: not those of the wall clock, and not those between two boots.
package struct RuleUsageReport: Codable, Hashable, Sendable {
    package struct Rule: Codable, Hashable, Sendable {
        /// `kind/namespace/name`.
        package var policy: String
        /// `ingress[0]`.
        package var rule: String
        package var action: String
        /// `file:line:column`.
        package var source: String
        /// For how long it is watched, as it is now.
        package var watched: Int64
        /// How long ago a packet last met it; nil: never since it is watched.
        package var lastHit: Int64?
        /// False: it speaks for nobody here at present, so that nothing can meet it.
        package var isInEffect: Bool

        package init(
            policy: String, rule: String, action: String, source: String, watched: Int64, lastHit: Int64?,
            isInEffect: Bool = true
        ) {
            self.policy = policy
            self.rule = rule
            self.action = action
            self.source = source
            self.watched = watched
            self.lastHit = lastHit
            self.isInEffect = isInEffect
        }
    }

    /// For how long, as it was asked.
    package var since: Int64
    /// How old the record is.
    package var watched: Int64
    /// Rules with a record.
    package var rules = 0
    /// Not met for as long as was asked.
    package var unused: [Rule] = []
    /// Never met, but not watched for so long: nothing can be said yet.
    package var young: [Rule] = []
    /// Rules without a number of their own, whose packets nobody counts apart.
    package var uncounted = 0

    package init(since: Int64, watched: Int64) {
        self.since = since
        self.watched = watched
    }
}
