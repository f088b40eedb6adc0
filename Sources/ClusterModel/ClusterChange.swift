// SPDX-License-Identifier: Apache-2.0

/// Where a node learns of the cluster it belongs to: the Kubernetes API, a store on etcd.
package protocol ClusterFeed: Sendable {
    /// For status and logs: `kubernetes`, `etcd`.
    var name: String { get }

    /// Follows the cluster until the consumer stops.
    ///
    /// Nothing that goes wrong ends the stream: it is reported as `.status`, what is known stays, and the feed keeps trying.
    func changes() -> AsyncStream<ClusterChange>
}

/// A step of a feed.
package enum ClusterChange: Sendable {
    /// All there is: what is not in it is gone. Sent first, and after every interruption, once every kind is known whole.
    case snapshot(ClusterContent)
    /// Some became others; nil: it is gone.
    case delta(ClusterDelta)
    /// The feed's own state.
    case status(ClusterFeedStatus)
}

/// All that a cluster tells.
package struct ClusterContent: Hashable, Sendable {
    /// Policies, and objects that rules refer to, as YAML or JSON; by a key unlike all others, `networkpolicies/prod/web`.
    package var documents: [String: [UInt8]]
    /// Workloads of all nodes, the reader's own included, by `<namespace>/<name>`.
    package var workloads: [String: ClusterWorkload]
    /// In which state documents are, where the feed knows and somebody asks.
    package var marks: [String: DocumentMark] = [:]

    package init(documents: [String: [UInt8]] = [:], workloads: [String: ClusterWorkload] = [:]) {
        self.documents = documents
        self.workloads = workloads
    }
}

/// What became of some keys of `ClusterContent`; all others stay.
package struct ClusterDelta: Hashable, Sendable {
    package var documents: [String: [UInt8]?]
    package var workloads: [String: ClusterWorkload?]
    /// In which state the documents that came are, where the feed knows and somebody asks.
    package var marks: [String: DocumentMark] = [:]

    package init(documents: [String: [UInt8]?] = [:], workloads: [String: ClusterWorkload?] = [:]) {
        self.documents = documents
        self.workloads = workloads
    }

    package var isEmpty: Bool { documents.isEmpty && workloads.isEmpty }
}

extension ClusterContent {
    /// Makes some keys what a delta says.
    package mutating func apply(_ delta: ClusterDelta) {
        for (key, document) in delta.documents {
            documents[key] = document
            marks[key] = document == nil ? nil : delta.marks[key]
        }
        for (key, workload) in delta.workloads { workloads[key] = workload }
    }

    /// What leads from these to others.
    package func delta(to other: ClusterContent) -> ClusterDelta {
        ClusterDelta(
            documents: ClusterContent.changes(documents, other.documents),
            workloads: ClusterContent.changes(workloads, other.workloads))
    }

    private static func changes<Value: Equatable>(_ old: [String: Value], _ new: [String: Value]) -> [String: Value?] {
        var changes: [String: Value?] = [:]
        for key in old.keys where new[key] == nil { changes[key] = .some(nil) }
        for (key, value) in new where old[key] != value { changes[key] = value }
        return changes
    }
}

/// Whether a feed is heard.
package struct ClusterFeedStatus: Hashable, Sendable {
    /// True while what it told is known to be current.
    package var isConnected: Bool
    /// One line for people: where it is connected to, or what is wrong and what happens next.
    package var message: String
    /// What does not work although the rest does, by kind or subject.
    package var problems: [String: String]

    package init(isConnected: Bool, message: String, problems: [String: String] = [:]) {
        self.isConnected = isConnected
        self.message = message
        self.problems = problems
    }
}
