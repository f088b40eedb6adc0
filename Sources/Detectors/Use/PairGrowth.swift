// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import NetworkModel

/// A client and a service: what a sensor keeps one record for.
struct PairKey: Hashable, Sendable {
    var client: IPAddress
    var server: IPAddress
    var port: UInt16
    var ipProtocol: IPProtocol

    init(_ pair: PairActivity) {
        client = pair.client
        server = pair.server
        port = pair.port
        ipProtocol = pair.ipProtocol
    }
}

/// Turns reports of a growing record into what came since the last one.
struct PairGrowth: Sendable {
    private struct Seen: Remembered {
        var touched: UInt64
        var weight: Double { Double(sent) }
        var since: UInt64
        var sent: UInt64
    }

    private var seen: BoundedTable<PairKey, Seen>

    init(capacity: Int) { seen = BoundedTable(capacity: capacity, lifetime: 3_600_000_000_000) }

    var forgotten: UInt64 { seen.forgotten }

    /// IP bytes the client sent since the record's last report.
    ///
    /// A record from before the first report of all counts from there.
    mutating func sent(_ pair: PairActivity) -> UInt64 {
        seen.update(
            PairKey(pair), at: pair.time,
            initial: { Seen(touched: pair.time, since: pair.since, sent: 0) },
            { seen in
                if seen.since != pair.since { (seen.since, seen.sent) = (pair.since, 0) }
                let fresh = pair.bytesSent.growth(since: seen.sent)
                seen.sent = pair.bytesSent
                seen.touched = pair.time
                return fresh
            })
    }
}
