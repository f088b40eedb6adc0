// SPDX-License-Identifier: Apache-2.0
package import EventModel
package import NetworkModel

/// What a commit did.
package struct CommitReport: Hashable, Sendable {
    /// The generation that packets see from now on; it travels in every event.
    package var generation: UInt32
    /// Bytes written into one bank (the other got the same).
    package var byteCount: Int
    /// From the call to the switch.
    package var switchLatency: Duration
    /// From the call to the moment the next commit may begin.
    package var duration: Duration

    package init(generation: UInt32, byteCount: Int, switchLatency: Duration, duration: Duration) {
        self.generation = generation
        self.byteCount = byteCount
        self.switchLatency = switchLatency
        self.duration = duration
    }
}

/// What a conntrack sweep found.
package struct SweepReport: Hashable, Sendable {
    /// Flows in the table before.
    package var visited: Int
    package var expired: Int
    /// Flows of endpoints that are no longer attached.
    package var orphaned: Int
    /// Flows that the table has room for.
    package var capacity = 0
    /// Flows that one endpoint may hold.
    package var share = 0
    /// Flows in the table before, by the endpoint's number.
    package var held: [UInt16: Int] = [:]

    package init(visited: Int = 0, expired: Int = 0, orphaned: Int = 0) {
        self.visited = visited
        self.expired = expired
        self.orphaned = orphaned
    }
}

/// Packets and bytes (IP length).
package struct Traffic: Hashable, Sendable {
    package var packets: UInt64
    package var bytes: UInt64

    package init(packets: UInt64 = 0, bytes: UInt64 = 0) {
        self.packets = packets
        self.bytes = bytes
    }

    static func += (sum: inout Traffic, other: Traffic) {
        sum.packets += other.packets
        sum.bytes += other.bytes
    }
}

/// What one rule let pass or stopped, by direction as seen from the endpoint.
package struct RuleTraffic: Hashable, Sendable {
    package var egress: Traffic
    package var ingress: Traffic

    package init(egress: Traffic = Traffic(), ingress: Traffic = Traffic()) {
        self.egress = egress
        self.ingress = ingress
    }
}

/// How often a kernel program ran and for how long, while the kernel counted that.
package struct ProgramRuns: Hashable, Sendable {
    package var program: String
    package var count: UInt64
    package var nanoseconds: UInt64

    package init(program: String, count: UInt64, nanoseconds: UInt64) {
        self.program = program
        self.count = count
        self.nanoseconds = nanoseconds
    }
}

/// The datapath's counters since its tables were made.
package struct DatapathMetrics: Hashable, Sendable {
    /// Only reasons that occurred.
    package var dropped: [DropReason: [Direction: Traffic]] = [:]
    /// Packets that audit mode let pass.
    package var audited = Traffic()
    /// ARP and other link-layer traffic that passed.
    package var linkLayer = Traffic()
    package var eventsWritten: UInt64 = 0
    /// Events lost because the ring buffer was full.
    package var eventsLost: UInt64 = 0
    package var flowsCreated: UInt64 = 0
    /// Expired flows that met a packet and were replaced.
    package var flowsExpired: UInt64 = 0
    /// New flows refused because the table was full.
    package var flowsRefused: UInt64 = 0
    package var fragmentsTracked: UInt64 = 0
    /// Established flows judged again after a policy change.
    package var flowsReevaluated: UInt64 = 0
    /// Of these: now denied.
    package var flowsRevoked: UInt64 = 0
    package var names = NameMetrics()

    package init() {}
}

/// What became of DNS messages.
package struct NameMetrics: Hashable, Sendable {
    /// Questions to resolvers that were noted.
    package var questions: UInt64 = 0
    /// Answers that were believed.
    package var answers: UInt64 = 0
    /// Answers that nobody waited for: forged, late, repeated.
    package var unasked: UInt64 = 0
    /// Answers that a workload whose source is not checked sent in a resolver's name.
    package var forged: UInt64 = 0
    package var malformed: UInt64 = 0
    /// Fragments, TCP out of order, messages that are too long, more in a packet than are read.
    package var unread: UInt64 = 0
    /// Addresses that a name got, or kept longer.
    package var learnt: UInt64 = 0
    /// Addresses that no name opens: loopback, link-local, metadata.
    package var forbidden: UInt64 = 0
    /// An address or a name that more rules mean than there is room for.
    package var crowded: UInt64 = 0
    /// Addresses that there was no memory for.
    package var withoutMemory: UInt64 = 0

    package init() {}
}

/// What is loaded and how.
package struct DatapathStatus: Hashable, Sendable {
    /// How programs are attached on this kernel.
    package var attachment: AttachmentKind
    /// Why not by tcx; nil if by tcx.
    package var fallbackReason: String?
    /// True if the tables and attachments of an earlier agent were taken over.
    package var isAdopted: Bool
    /// True once a complete generation is in force; until then workloads are cut off.
    package var isReady: Bool
    package var generation: UInt32
    package var endpointCount: Int
    /// Things worth telling: stale pins removed.
    package var notes: [String]
    /// Tables that keep another size than the one configured, because they were adopted.
    package var keptSizes: [String]
    /// Flows that the table has room for.
    package var conntrackCapacity: Int
    package var policyEntryCount: Int
    package var policyEntryCapacity: Int
    package var subjectCount: Int
    package var directory: String

    package init(
        attachment: AttachmentKind, fallbackReason: String? = nil, isAdopted: Bool = false, isReady: Bool = false,
        generation: UInt32 = 0, endpointCount: Int = 0, notes: [String] = [],
        keptSizes: [String] = [], conntrackCapacity: Int = 0, policyEntryCount: Int = 0,
        policyEntryCapacity: Int = 0, subjectCount: Int = 0, directory: String = ""
    ) {
        self.attachment = attachment
        self.fallbackReason = fallbackReason
        self.isAdopted = isAdopted
        self.isReady = isReady
        self.generation = generation
        self.endpointCount = endpointCount
        self.notes = notes
        self.keptSizes = keptSizes
        self.conntrackCapacity = conntrackCapacity
        self.policyEntryCount = policyEntryCount
        self.policyEntryCapacity = policyEntryCapacity
        self.subjectCount = subjectCount
        self.directory = directory
    }
}
