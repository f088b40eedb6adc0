// SPDX-License-Identifier: Apache-2.0

package import DetectionModel
import NetworkModel

/// A client asks for many zones that do not exist: a program looks for its operator by generated names.
package struct GeneratedDomains: Detector {
    static let zones = Threshold(
        "zones", 30, "zones", in: 3...256, "different zones that do not exist, within ten minutes")
    static let share = Threshold(
        "notFoundShare", 0.9, "share", in: 0...1, "share of a zone's queries that must have failed to count it")
    static let ratio = Threshold(
        "ratio", 0.5, "share", in: 0...1, "share of failed zones among all zones the client asked about, at least")
    static let length = Threshold("length", 8, "bytes", in: 1...63, "length of the zone's own label, at least")
    static let capacity = 1024

    package static let guide = DetectorGuide(
        name: "generated-domains", title: "Generated domain names", technique: "T1568.002",
        techniqueName: "Domain Generation Algorithms", severity: "high",
        about:
            "A program asks for one made-up domain after the other until one of them exists: its operator registered only that.",
        method: """
            Zones of which `notFoundShare` of the queries were answered with NXDOMAIN are kept for each client for ten minutes. \
            `zones` different ones whose own label has `length` bytes or more, and that are `ratio` of all zones the client asked about, \
            are generated.
            """,
        sources: [
            "M. Antonakakis et al., From Throw-Away Traffic to Bots: Detecting the Rise of DGA-Based Malware, USENIX Security 2012: NXDOMAIN as the sign",
            "S. Krishnan, T. Taylor, F. Monrose, J. McHugh, Crossing the Threshold: Detecting Network Malfeasance via Sequential Hypothesis Testing, DSN 2013",
        ],
        thresholds: [zones, share, ratio, length],
        evidence: [
            ("failed_zones", "different zones that do not exist"), ("zones", "different zones asked about"),
            ("examples", "the last of them"),
        ],
        nearMisses: [
            "Search lists: the same few zones again and again.",
            "Browsers that test for false answers: names without a zone, a few at a start.",
            "Crawlers, mail servers, resolvers for many clients: zones that exist are the most.",
        ],
        limits: ["A crawler of old lists finds many dead domains: raise `zones`, or switch it off for this host."],
        capacity: capacity)

    private struct Client: Remembered {
        var touched: UInt64
        var weight: Double { Double(failed.count) }
        var begin: UInt64
        var failed: [String: UInt64] = [:]
        var good: [String: UInt64] = [:]
    }

    private static let window: UInt64 = 600_000_000_000
    private static let most = 512
    private let thresholds: Thresholds
    private var clients = BoundedTable<IPAddress, Client>(capacity: capacity, lifetime: window)
    private var announcer = Announcer()

    package init(_ thresholds: Thresholds) { self.thresholds = thresholds }

    package var forgotten: UInt64 { clients.forgotten &+ announcer.forgotten }

    package mutating func consider(_ activity: Activity) -> [Finding] {
        guard case .zone(let zone) = activity, !DNSNames.isLeftOut(zone.zone), zone.queries > 0 else { return [] }
        let label = zone.zone.utf8.prefix { $0 != UInt8(ascii: ".") }.count
        let isFailed = Double(zone.notFound) >= thresholds[Self.share] * Double(zone.queries) && zone.notFound > 0
        guard !isFailed || Double(label) >= thresholds[Self.length] else { return [] }
        let (failed, all) = clients.update(
            zone.client, at: zone.time, initial: { Client(touched: zone.time, begin: zone.time) },
            { client in
                GeneratedDomains.forget(&client, at: zone.time)
                client.touched = zone.time
                if isFailed {
                    if client.good[zone.zone] == nil { client.failed[zone.zone] = zone.time }
                } else if client.good.count < GeneratedDomains.most {
                    client.failed[zone.zone] = nil
                    client.good[zone.zone] = zone.time
                }
                return (client.failed.count, client.failed.count + client.good.count)
            })
        guard isFailed, Double(failed) >= thresholds[Self.zones],
            Double(failed) >= thresholds[Self.ratio] * Double(all)
        else { return [] }
        var finding = Self.finding(
            zone.time, since: zone.since, .high,
            "\(zone.client) asked for \(failed) domains that do not exist, such as \(zone.zone).",
            [
                .number("failed_zones", failed), .number("zones", all),
                Evidence("examples", .text(examples(of: zone.client))),
            ])
        finding.source = zone.client
        finding.sourceLength = zone.client.isIPv4 ? 32 : 128
        finding.port = 53
        return announcer.announce(finding, weight: Double(failed))
    }

    private func examples(of client: IPAddress) -> String {
        let failed = clients[client]?.failed ?? [:]
        return failed.sorted { ($1.value, $1.key) < ($0.value, $0.key) }.prefix(4).map(\.key).joined(separator: ", ")
    }

    /// Drops what is older than the window; all of it where there is no room.
    private static func forget(_ client: inout Client, at time: UInt64) {
        guard client.begin.distance(before: time) > window / 8 || client.failed.count >= most else { return }
        client.begin = time
        client.failed = client.failed.filter { $0.value.distance(before: time) <= window }
        client.good = client.good.filter { $0.value.distance(before: time) <= window }
        if client.failed.count >= most { client.failed = [:] }
    }
}
