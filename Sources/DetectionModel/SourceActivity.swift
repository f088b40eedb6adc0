// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// What one source did since `since`, as its sensor remembers it.
///
/// All counts saturate.
///
/// A *probe* is a packet that opens or tries something: a SYN, the first datagram of a flow, an echo request, a segment whose
/// flags fit no connection. Its *outcome* is what came back: an answer, a refusal (reset, ICMP unreachable), a denial by
/// policy, or nothing.
package struct SourceActivity: Hashable, Sendable {
    /// IPv6 sources outside are taken together by /64; `length` says so.
    package var source: IPAddress
    /// Significant bits of `source`: 32, 64 or 128.
    package var length: UInt8
    /// True for an address of this host or of a workload on it: the source is inside.
    package var isInside: Bool
    /// Nanoseconds: when the record began, and when this was reported.
    package var since: UInt64
    package var time: UInt64
    /// Packets and IP bytes since `since`.
    package var packets: UInt64
    package var bytes: UInt64
    /// Probes by kind since `since`.
    package var probes: Probes
    /// Outcomes of probes since `since`.
    ///
    /// Unanswered: older than a second without anything coming back, an estimate.
    package var answered: UInt32
    package var refused: UInt32
    package var denied: UInt32
    package var unanswered: UInt32
    /// Handshakes the source completed: who completes one is not forged.
    package var established: UInt32
    /// Estimates from sketches, of probes only: different destination ports, hosts, and host-port pairs.
    package var distinctPorts: UInt32
    package var distinctHosts: UInt32
    package var distinctPairs: UInt32
    /// Different (host, port) pairs whose probe failed: refused, denied or unanswered.
    package var distinctFailures: UInt32
    /// Most recent probes, latest last; at most four.
    package var samples: [ProbeSample]

    package init(source: IPAddress, length: UInt8, isInside: Bool, since: UInt64, time: UInt64) {
        self.source = source
        self.length = length
        self.isInside = isInside
        self.since = since
        self.time = time
        (self.packets, self.bytes) = (0, 0)
        self.probes = Probes()
        (self.answered, self.refused, self.denied, self.unanswered, self.established) = (0, 0, 0, 0, 0)
        (self.distinctPorts, self.distinctHosts, self.distinctPairs, self.distinctFailures) = (0, 0, 0, 0)
        self.samples = []
    }
}

/// Probes by kind.
package struct Probes: Hashable, Sendable {
    package var syn: UInt32 = 0
    /// Segments without a connection by their flags: FIN alone; none; FIN, PSH and URG; ACK alone; anything else.
    package var fin: UInt32 = 0
    package var null: UInt32 = 0
    package var xmas: UInt32 = 0
    package var ack: UInt32 = 0
    package var oddFlags: UInt32 = 0
    package var udp: UInt32 = 0
    /// Echo, timestamp and address mask requests.
    package var icmp: UInt32 = 0
    /// ARP requests; neighbour solicitations for addresses nobody has.
    package var arp: UInt32 = 0

    package init() {}

    package var total: UInt64 {
        [syn, fin, null, xmas, ack, oddFlags, udp, icmp, arp].reduce(0) { $0 + UInt64($1) }
    }
}

/// One probe as an example.
package struct ProbeSample: Hashable, Sendable {
    package var destination: IPAddress
    /// Host order; 0 without ports.
    package var port: UInt16
    package var ipProtocol: IPProtocol

    package init(destination: IPAddress, port: UInt16, ipProtocol: IPProtocol) {
        self.destination = destination
        self.port = port
        self.ipProtocol = ipProtocol
    }
}
