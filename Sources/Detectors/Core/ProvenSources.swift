// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import NetworkModel

/// Whether what is found in a source's name is its own doing: whether handshakes were completed for it.
///
/// That a source completed some is not enough. Forged SYNs may name somebody who uses the host; his own handshakes are few
/// among those. Bounded, the oldest go first.
struct ProvenSources: Sendable {
    private struct Entry {
        /// Nanoseconds of the activities' clock.
        var time: UInt64
        /// Handshakes completed in the source's record.
        var established: UInt32
    }

    private var seen: [CIDR: Entry] = [:]

    static let capacity = 16_384
    /// An address may be another one's after that.
    static let memory: UInt64 = 600_000_000_000
    /// One handshake is to be seen for so many connections: sensors report late, and do not see what ends by a reset.
    static let share: UInt64 = 4

    var count: Int { seen.count }

    mutating func note(_ activity: Activity) {
        guard case .source(let source) = activity, !source.isInside, source.established > 0 else { return }
        seen[CIDR(source.source, length: Int(source.length))] = Entry(
            time: source.time, established: source.established)
        guard seen.count > ProvenSources.capacity else { return }
        for (prefix, _) in seen.sorted(by: { ($0.value.time, $0.key) < ($1.value.time, $1.key) })
            .prefix(ProvenSources.capacity / 16)
        {
            seen[prefix] = nil
        }
    }

    func isProven(_ activity: Activity) -> Bool {
        switch activity {
        case .source(let source):
            source.isInside || UInt64(source.established) * ProvenSources.share >= max(1, source.probes.total)
        case .pair(let pair):
            pair.isClientInside
                || established(pair.client, at: pair.time) * ProvenSources.share >= max(1, UInt64(pair.connections))
        // Datagrams of others prove nothing.
        case .zone(let zone): zone.isClientInside
        case .target: false
        }
    }

    private func established(_ address: IPAddress, at time: UInt64) -> UInt64 {
        // Sensors take outside sources of IPv6 together by /64.
        (address.isIPv4 ? [32] : [64, 128]).compactMap { length in
            seen[CIDR(address, length: length)].flatMap { entry in
                entry.time &+ ProvenSources.memory > time ? UInt64(entry.established) : nil
            }
        }.max() ?? 0
    }
}
