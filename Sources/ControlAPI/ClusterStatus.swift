// SPDX-License-Identifier: Apache-2.0

/// The cluster that the node belongs to, in `status`.
package struct ClusterStatus: Codable, Hashable, Sendable {
    /// `kubernetes` or `etcd`.
    package var feed: String
    /// True while what is known of the cluster is known to be current.
    package var connected: Bool
    /// One line for people.
    package var message: String
    /// When what is in force was last known to be current, RFC 3339; nil: never.
    package var currentAt: String?
    /// Seconds since then; nil: it is current, or never was.
    package var ageSeconds: Int64?
    /// True: it is what an earlier agent knew; the cluster has not answered since this one started.
    package var remembered: Bool
    /// Policies and objects that they refer to, as they are in force.
    package var policies: Int
    /// Of other nodes.
    package var workloads: Int
    /// Nodes that are registered, this one included; nil: the feed does not count them.
    package var nodes: Int?
    /// What this node tells the cluster of its policies and of what it denies; nil: the feed does not want to know.
    package var telling: TellingStatus?

    package init(
        feed: String, connected: Bool, message: String, currentAt: String?, ageSeconds: Int64?, remembered: Bool,
        policies: Int, workloads: Int, nodes: Int? = nil
    ) {
        self.feed = feed
        self.connected = connected
        self.message = message
        self.currentAt = currentAt
        self.ageSeconds = ageSeconds
        self.remembered = remembered
        self.policies = policies
        self.workloads = workloads
        self.nodes = nodes
    }
}

/// What a node tells its cluster, since the agent's start.
package struct TellingStatus: Codable, Hashable, Sendable {
    /// Reports on policies that were written.
    package var reports = 0
    /// Why they cannot be written; nil: they can, or nothing was to be written yet.
    package var reportProblem: String?
    /// Events on denied traffic that were written; nil: none are wanted.
    package var events: Int?
    /// Denials that are in no event: over the bounds, or not taken.
    package var deniedUntold: Int?
    /// Why events cannot be written; nil: they can.
    package var eventProblem: String?

    package init() {}
}
