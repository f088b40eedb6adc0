// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import LinuxHost
import PolicyModel
import PolicyReading

/// What this node knows of its cluster, and whether that is still so.
struct ClusterView: Sendable {
    /// The feed's name: `kubernetes`, `etcd`.
    let feed: String
    /// Policies and what they refer to; an object is a unit.
    var documents: PolicyUnits
    /// In which state the documents are that were taken; empty unless the feed tells.
    var marks = DocumentMarks()
    /// Keys of documents that are nodes.
    private(set) var nodeKeys: Set<String> = []
    /// Other hosts of a fleet, by their own addresses.
    var hosts = FleetHosts()
    var status = ClusterFeedStatus(isConnected: false, message: "waiting")
    /// When what is known was last known to be current, in seconds since 1970; nil: never.
    var currentAt: Int64?
    /// False: what is in force was remembered from before the agent's start.
    var hasSnapshot = false

    init(feed: String, reader: PolicyReader) {
        self.feed = feed
        documents = PolicyUnits(reader: reader)
    }

    /// Counts nodes.
    mutating func note(documents keys: some Sequence<String>, isThere: (String) -> Bool) {
        for key in keys where key.hasPrefix("nodes/") {
            if isThere(key) { nodeKeys.insert(key) } else { nodeKeys.remove(key) }
        }
    }

    /// What the cluster says of a policy; a document about a host goes before what the host tells of itself.
    subscript(reference: PolicyReference) -> Policy? { documents[reference] ?? hosts.policies[reference] }

    /// What all keys of workloads of other nodes begin with.
    var keyPrefix: String { RemoteWorkload.keyPrefix(source: feed) }

    /// Seconds since what is known was last known to be current; nil: it is, or never was.
    func age(now: Int64) -> Int64? {
        guard !status.isConnected, let currentAt else { return nil }
        return max(0, now - currentAt)
    }
}

extension RemoteWorkload {
    init(_ workload: ClusterWorkload) {
        self.init(labels: workload.labels, addresses: workload.addresses, namedPorts: workload.namedPorts)
    }
}
