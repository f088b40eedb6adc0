// SPDX-License-Identifier: Apache-2.0

package import DetectionModel
import NetworkModel

/// Names that carry data: many different long ones below one zone.
package struct DNSTunnel: Detector {
    static let names = Threshold(
        "names", 40, "names", in: 5...1e6, "different names below one zone in a minute, at least")
    static let distinctShare = Threshold(
        "distinctShare", 0.6, "share", in: 0...1, "different names for each query, at least: data is never asked twice")
    static let length = Threshold(
        "length", 24, "bytes", in: 1...255, "mean length of the part below the zone, at least")
    static let label = Threshold("longestLabel", 40, "bytes", in: 1...63, "or the longest label, at least")
    static let entropy = Threshold(
        "entropy", 3.1, "bits", in: 0...8, "mean entropy of a character of the part below the zone, at least")
    static let information = Threshold(
        "information", 1000, "bytes", in: 1...1e9,
        "what the names of a minute can carry, at least: length times entropy")
    static let slowInformation = Threshold(
        "slowInformation", 8000, "bytes", in: 1...1e9,
        "what the names of about an hour can carry, where a minute shows too little")
    static let capacity = 4096

    package static let guide = DetectorGuide(
        name: "dns-tunnel", title: "DNS tunnel", technique: "T1071.004", techniqueName: "DNS", severity: "high",
        about:
            "A client speaks with somebody through names: iodine, dnscat2, DNS beacons of implants. It passes every firewall that lets DNS pass.",
        method: """
            For each client and zone the sensor counts the names of a minute. Names carry data if they are many (`names`), hardly \
            ever repeated (`distinctShare`), long (`length` on average or a label of `longestLabel`), and random (`entropy`). What they can \
            carry, their length times their entropy, must reach `information` in a minute; or `slowInformation` \
            within about an hour, for which minutes of less are added up with a half-life of an hour.
            """,
        sources: [
            "V. Paxson et al., Practical Comprehensive Bounds on Surreptitious Communication Over DNS, USENIX Security 2013: bound of information for each client and domain",
            "K. Born, D. Gustafson, Detecting DNS Tunnels Using Character Frequency Analysis, 2010: entropy",
            "G. Farnham, Detecting DNS Tunneling, SANS 2013: number of names for each domain, length of labels",
        ],
        thresholds: [names, distinctShare, length, label, entropy, information, slowInformation],
        evidence: [
            ("zone", "the zone below which the names are"), ("queries", "queries in the window"),
            ("distinct_names", "estimate of different names"), ("mean_length", "bytes below the zone on average"),
            ("longest_label", "bytes of the longest label"), ("entropy_bits", "bits for each character"),
            ("information_bytes", "what the names can carry"), ("bulky_queries", "of types TXT, NULL, CNAME, MX, SRV"),
            ("answer_bytes", "IP bytes of the answers"),
        ],
        nearMisses: [
            "Block lists in DNS: addresses as names, short and of few characters.",
            "Reverse lookups: zones below arpa are left out.",
            "Content networks with random labels: few different names for each zone, asked again and again.",
            "Resolvers for many clients: their queries spread over many zones.",
        ],
        limits: [
            "Antivirus programs that ask for hashes by name use a tunnel in good faith: mute the alert for that zone.",
            "Names within TLS or HTTPS are not seen.",
        ],
        capacity: capacity)

    private struct Key: Hashable, Sendable {
        var client: IPAddress
        var zone: String
    }

    private struct Sum: Remembered {
        var touched: UInt64
        var weight: Double { information }
        var window: UInt64
        var counted = 0.0
        var information = 0.0
        var names = 0.0
    }

    private let thresholds: Thresholds
    private var sums = BoundedTable<Key, Sum>(capacity: capacity, lifetime: 7_200_000_000_000)
    private var announcer = Announcer()

    package init(_ thresholds: Thresholds) { self.thresholds = thresholds }

    package var forgotten: UInt64 { sums.forgotten &+ announcer.forgotten }

    package mutating func consider(_ activity: Activity) -> [Finding] {
        guard case .zone(let zone) = activity, !DNSNames.isLeftOut(zone.zone), carriesData(zone) else { return [] }
        let information = DNSNames.information(zone)
        let hourly = add(zone, information)
        let isFast =
            Double(zone.distinctNames) >= thresholds[Self.names] && information >= thresholds[Self.information]
        let isSlow =
            hourly.information >= thresholds[Self.slowInformation] && hourly.names >= thresholds[Self.names]
        guard isFast || isSlow else { return [] }
        var finding = Self.finding(
            zone.time, since: zone.since, .high,
            "\(zone.client) asked for \(zone.distinctNames) long, random names below \(zone.zone): they can carry "
                + "\((isFast ? information : hourly.information).whole) bytes.",
            [
                Evidence("zone", .text(zone.zone)), .number("queries", zone.queries),
                .number("distinct_names", zone.distinctNames), .number("mean_length", DNSNames.meanLength(zone)),
                .number("longest_label", zone.longestLabel), .number("entropy_bits", Double(zone.entropy) / 100),
                .number("information_bytes", isFast ? information : hourly.information),
                .number("bulky_queries", zone.bulkyQueries), .number("answer_bytes", zone.answerBytes),
            ])
        finding.source = zone.client
        finding.sourceLength = zone.client.isIPv4 ? 32 : 128
        finding.port = 53
        return announcer.announce(finding, weight: max(information, hourly.information))
    }

    private func carriesData(_ zone: ZoneActivity) -> Bool {
        let isLong =
            DNSNames.meanLength(zone) >= thresholds[Self.length]
            || Double(zone.longestLabel) >= thresholds[Self.label]
        return isLong && Double(zone.entropy) / 100 >= thresholds[Self.entropy]
            && Double(zone.distinctNames) >= thresholds[Self.distinctShare] * Double(zone.queries)
    }

    /// What about an hour carried; a window that is reported again counts with what it gained.
    private mutating func add(_ zone: ZoneActivity, _ information: Double) -> (information: Double, names: Double) {
        sums.update(
            Key(client: zone.client, zone: zone.zone), at: zone.time,
            initial: { Sum(touched: zone.time, window: zone.since) },
            { sum in
                if sum.window != zone.since { (sum.window, sum.counted) = (zone.since, 0) }
                let kept = DNSNames.kept(after: sum.touched.distance(before: zone.time))
                let fresh = max(0, information - sum.counted)
                let share = information > 0 ? fresh / information : 0
                sum.information = sum.information * kept + fresh
                sum.names = sum.names * kept + Double(zone.distinctNames) * share
                sum.counted = max(sum.counted, information)
                sum.touched = zone.time
                return (sum.information, sum.names)
            })
    }
}

/// What the detectors about names share.
enum DNSNames {
    /// Zones in which names are addresses or serve the local network.
    static func isLeftOut(_ zone: String) -> Bool {
        zone == "arpa" || zone.hasSuffix(".arpa") || zone == "local" || zone.hasSuffix(".local") || zone.isEmpty
    }

    static func meanLength(_ zone: ZoneActivity) -> Double { Double(zone.nameBytes) / Double(max(1, zone.queries)) }

    /// Bytes that the different names of the window can carry.
    static func information(_ zone: ZoneActivity) -> Double {
        let names = Double(min(zone.distinctNames, zone.queries))
        return names * meanLength(zone) * Double(zone.entropy) / 800
    }

    /// What is left after a time, with a half-life of an hour: halves, and a line between them.
    static func kept(after nanoseconds: UInt64) -> Double {
        let hours = Double(nanoseconds) / 3.6e12
        guard hours < 32 else { return 0 }
        let whole = hours.rounded(.down)
        var kept = 1.0
        for _ in 0..<Int(whole) { kept /= 2 }
        return kept * (1 - (hours - whole) / 2)
    }
}
