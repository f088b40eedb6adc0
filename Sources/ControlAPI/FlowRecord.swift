// SPDX-License-Identifier: Apache-2.0

/// `GET /v1/flows`: one flow with names; one line of the NDJSON stream.
package struct FlowRecord: Codable, Hashable, Sendable {
    package var sequence: UInt64
    /// RFC 3339 with nanoseconds.
    package var time: String
    /// `allow`, `deny`, `audit`, `redirect`.
    package var verdict: String
    /// Drop reason of a deny or audit.
    package var reason: String?
    /// As seen from `endpoint`.
    package var direction: String
    /// The endpoint whose program judged it.
    package var endpoint: String
    package var `protocol`: String
    package var source: FlowSide
    package var destination: FlowSide
    package var icmpType: UInt8?
    package var icmpCode: UInt8?
    /// Conntrack's view: the word for the packet's state.
    package var state: String
    /// The rule that decided, or which policies made it default deny.
    package var rule: String
    /// `file:line:column` of the rule.
    package var ruleSource: String?
    package var packets: UInt32
    package var bytes: UInt64
    package var tcpFlags: String?
    package var vlan: UInt16?
    package var generation: UInt32

    package init(
        sequence: UInt64, time: String, verdict: String, reason: String?, direction: String, endpoint: String,
        protocol: String, source: FlowSide, destination: FlowSide, state: String, rule: String, ruleSource: String?,
        packets: UInt32, bytes: UInt64, generation: UInt32
    ) {
        self.sequence = sequence
        self.time = time
        self.verdict = verdict
        self.reason = reason
        self.direction = direction
        self.endpoint = endpoint
        self.protocol = `protocol`
        self.source = source
        self.destination = destination
        self.state = state
        self.rule = rule
        self.ruleSource = ruleSource
        self.packets = packets
        self.bytes = bytes
        self.generation = generation
    }
}

/// One end of a flow.
package struct FlowSide: Codable, Hashable, Sendable {
    package var address: String
    package var port: UInt16?
    /// Name, if it is an endpoint of this host.
    package var endpoint: String?
    package var identity: UInt32?
    package var labels: [String]
    /// Outside: what DNS calls the address, as the endpoint at the other end was told; absent if it was not.
    package var names: [String]?

    package init(address: String, port: UInt16?, endpoint: String?, identity: UInt32?, labels: [String]) {
        self.address = address
        self.port = port
        self.endpoint = endpoint
        self.identity = identity
        self.labels = labels
    }
}

/// Which flows `GET /v1/flows` is asked for; the texts of the query string, not yet checked.
package struct FlowQuery: Hashable, Sendable {
    package var follow = false
    /// How many flows of the past; nil = the server's choice (20).
    package var last: Int?
    package var endpoints: [String] = []
    package var labels: [String] = []
    package var identities: [String] = []
    package var verdicts: [String] = []
    package var reasons: [String] = []
    package var ports: [String] = []
    package var protocols: [String] = []
    package var prefixes: [String] = []
    /// DNS names in which `*` stands for any characters: of either side, of the sender, of the receiver.
    package var names: [String] = []
    package var sourceNames: [String] = []
    package var destinationNames: [String] = []
    package var direction: String?

    package init() {}
}

/// A counter line between flows of a followed stream: this reader was too slow.
package struct FlowLoss: Codable, Hashable, Sendable {
    /// Flows not delivered to this reader so far.
    package var lost: UInt64

    package init(lost: UInt64) { self.lost = lost }
}

/// `GET /v1/maps/NAME`: a kernel table with words for numbers.
package struct MapDump: Codable, Hashable, Sendable {
    package var name: String
    package var columns: [String]
    package var rows: [[String]]
    /// True: there were more rows than `limit`.
    package var isTruncated: Bool

    package init(name: String, columns: [String], rows: [[String]], isTruncated: Bool = false) {
        self.name = name
        self.columns = columns
        self.rows = rows
        self.isTruncated = isTruncated
    }
}

/// Tables that can be dumped.
package enum MapName: String, Codable, CaseIterable, Sendable {
    case policy
    case ipcache
    case conntrack
    case endpoints
    case subjects
    case metrics
    case rules
    /// What DNS has told workloads, and the rules that rely on it.
    case names
}
