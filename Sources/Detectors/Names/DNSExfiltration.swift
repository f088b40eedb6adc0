// SPDX-License-Identifier: Apache-2.0

package import DetectionModel
import NetworkModel

/// Data leaves within names: what names below one zone carried within an hour is more than any lookup needs.
package struct DNSExfiltration: Detector {
    static let bytes = Threshold(
        "bytes", 32_000, "bytes", in: 100...1e12,
        "what different names carried below one zone within about an hour")
    static let length = Threshold("length", 16, "bytes", in: 1...255, "mean length below the zone, at least")
    static let entropy = Threshold("entropy", 2.5, "bits", in: 0...8, "mean entropy of a character, at least")
    static let distinctShare = Threshold(
        "distinctShare", 0.5, "share", in: 0...1, "different names for each query, at least")
    static let capacity = 4096

    package static let guide = DetectorGuide(
        name: "dns-exfiltration", title: "Exfiltration through DNS", technique: "T1048.003",
        techniqueName: "Exfiltration Over Unencrypted Non-C2 Protocol", severity: "high",
        about: "Data leaves in small pieces as names below one zone, which the thief's name server collects.",
        method: """
            What different names below one zone carry (their length times their entropy) is added up for each client and zone with a \
            half-life of an hour, minutes in which names repeat, are short or plain left out. `bytes` are more than lookups need. \
            `dns-tunnel` finds the speed of a conversation, this the amount that left, in whatever encoding.
            """,
        sources: [
            "V. Paxson et al., Practical Comprehensive Bounds on Surreptitious Communication Over DNS, USENIX Security 2013",
            "J. Ahmed, H. Habibi Gharakheili, Q. Raza, C. Russell, V. Sivaraman, Monitoring Enterprise DNS Queries for Detecting Data Exfiltration From Internal Hosts, IEEE TNSM 2020",
        ],
        thresholds: [bytes, length, entropy, distinctShare],
        evidence: [
            ("zone", "the zone below which the names are"),
            ("bytes_out", "what the names carried within about an hour"),
            ("distinct_names", "different names in the last minute"),
            ("mean_length", "bytes below the zone on average"),
            ("entropy_bits", "bits for each character"),
        ],
        nearMisses: [
            "Block lists and reverse lookups: short names, or zones below arpa.",
            "Content networks: the same names again and again.",
        ],
        limits: ["Below `bytes` an hour nothing is found: that is about 70 bits a second."],
        capacity: capacity)

    private struct Key: Hashable, Sendable {
        var client: IPAddress
        var zone: String
    }

    private struct Sum: Remembered {
        var touched: UInt64
        var weight: Double { bytes }
        var begin: UInt64
        var window: UInt64
        var counted = 0.0
        var bytes = 0.0
    }

    private let thresholds: Thresholds
    private var sums = BoundedTable<Key, Sum>(capacity: capacity, lifetime: 14_400_000_000_000)
    private var announcer = Announcer()

    package init(_ thresholds: Thresholds) { self.thresholds = thresholds }

    package var forgotten: UInt64 { sums.forgotten &+ announcer.forgotten }

    package mutating func consider(_ activity: Activity) -> [Finding] {
        guard case .zone(let zone) = activity, !DNSNames.isLeftOut(zone.zone), carriesData(zone) else { return [] }
        let information = DNSNames.information(zone)
        let sum = sums.update(
            Key(client: zone.client, zone: zone.zone), at: zone.time,
            initial: { Sum(touched: zone.time, begin: zone.since, window: zone.since) },
            { sum -> Sum in
                if sum.window != zone.since { (sum.window, sum.counted) = (zone.since, 0) }
                sum.bytes *= DNSNames.kept(after: sum.touched.distance(before: zone.time))
                sum.bytes += max(0, information - sum.counted)
                sum.counted = max(sum.counted, information)
                sum.touched = zone.time
                return sum
            })
        guard sum.bytes >= thresholds[Self.bytes] else { return [] }
        var finding = Self.finding(
            zone.time, since: sum.begin, .high,
            "\(zone.client) sent about \(sum.bytes.whole) bytes out as names below \(zone.zone).",
            [
                Evidence("zone", .text(zone.zone)), .number("bytes_out", sum.bytes),
                .number("distinct_names", zone.distinctNames), .number("mean_length", DNSNames.meanLength(zone)),
                .number("entropy_bits", Double(zone.entropy) / 100),
            ])
        finding.source = zone.client
        finding.sourceLength = zone.client.isIPv4 ? 32 : 128
        finding.port = 53
        return announcer.announce(finding, weight: sum.bytes)
    }

    private func carriesData(_ zone: ZoneActivity) -> Bool {
        zone.queries >= 4 && DNSNames.meanLength(zone) >= thresholds[Self.length]
            && Double(zone.entropy) / 100 >= thresholds[Self.entropy]
            && Double(zone.distinctNames) >= thresholds[Self.distinctShare] * Double(zone.queries)
    }
}
