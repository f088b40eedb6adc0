// SPDX-License-Identifier: Apache-2.0

package import DetectionModel
import NetworkModel

/// A workload calls one place outside again and again, with even pauses and even sizes.
package struct Beacon: Detector {
    static let intervals = Threshold(
        "intervals", 20, "intervals", in: 4...1e6, "measured intervals between connections, at least")
    static let duration = Threshold(
        "duration", 660, "seconds", in: 1...1e7,
        "time over which they were seen, at least: longer than loops that wait for a start")
    static let jitter = Threshold(
        "jitter", 0.2, "share", in: 0...1, "mean deviation of the intervals, at most, of their mean")
    static let sizes = Threshold(
        "sizeDeviation", 0.25, "share", in: 0...1,
        "mean deviation of the bytes sent in a connection, at most, of their mean")
    static let shortest = Threshold("shortestInterval", 2, "seconds", in: 0...86_400, "mean interval, at least")
    static let longest = Threshold("longestInterval", 86_400, "seconds", in: 1...1e7, "mean interval, at most")
    static let bytes = Threshold(
        "bytesEach", 20_000, "bytes", in: 1...1e9,
        "IP bytes sent in a connection on average, at most: more is a transfer")
    static let clients = Threshold(
        "clients", 4, "workloads", in: 1...1e6,
        "from so many workloads on that call the same place evenly it is their program's doing")
    static let privateServers = Threshold(
        "privateServers", 0, "0 or 1", in: 0...1, "1: places in private networks that are not inside count too")
    static let capacity = 2048

    package static let guide = DetectorGuide(
        name: "beacon", title: "Beaconing", technique: "T1071", techniqueName: "Application Layer Protocol",
        severity: "medium",
        about: """
            A workload calls a place outside with even pauses and sends about equally much each time, as implants ask their \
            operator for orders.
            """,
        method: """
            For each workload, place outside and port: the mean deviation of the intervals between connections is `jitter` of \
            their mean or less, that of the bytes sent `sizeDeviation` or less, over `intervals` intervals and `duration`. The \
            mean deviation of an interval drawn from ±j is j/2: a jitter of 20 % that operators choose is 0.1. Places inside, in private \
            networks, and ports of services that ask again by design (DNS, NTP, DHCP, SNMP, syslog, discovery) are left out, and \
            places that several workloads call evenly.
            """,
        sources: [
            "X. Hu et al., BAYWATCH: Robust Beaconing Detection to Identify Infected Hosts in Large-Scale Enterprise Networks, DSN 2016: "
                + "regular intervals, and popularity as a reason to stay quiet",
            "Active Countermeasures, RITA: score from dispersion of intervals and of sizes",
        ],
        thresholds: [intervals, duration, jitter, sizes, shortest, longest, bytes, clients, privateServers],
        evidence: [
            ("interval_seconds", "mean time between openings"),
            ("interval_jitter", "mean deviation of it, of the mean"),
            ("intervals", "intervals measured"), ("bytes_sent_each", "IP bytes of the client in a connection, mean"),
            ("size_deviation", "mean deviation of these, of the mean"), ("connections", "connections in the record"),
            ("workloads", "workloads that call this place evenly"),
        ],
        nearMisses: [
            "Health checks from outside and among workloads: the client is outside, or the server is inside or private.",
            "NTP, DNS and other services that ask again by design.",
            "Loops that wait for a service to come up: over within `duration`.",
            "Agents that report to one place from every workload: from `clients` on they are left out.",
            "Programs that keep one connection open: no openings.",
        ],
        limits: [
            "One workload that checks a public site or reports to a public service with a timer looks the same: mute the "
                + "alert for that place, it stays one alert.",
            "Pauses drawn from more than half to double of the mean look like a person.",
        ],
        capacity: capacity)

    private struct Place: Remembered {
        var touched: UInt64
        var weight = 0.0
        var callers: [IPAddress]
    }

    private struct Service: Hashable, Sendable {
        var server: IPAddress
        var port: UInt16
    }

    private let thresholds: Thresholds
    private var places = BoundedTable<Service, Place>(capacity: capacity, lifetime: 86_400_000_000_000)
    private var announcer = Announcer(capacity: Beacon.capacity)

    package init(_ thresholds: Thresholds) { self.thresholds = thresholds }

    package var forgotten: UInt64 { places.forgotten &+ announcer.forgotten }

    package mutating func consider(_ activity: Activity) -> [Finding] {
        guard case .pair(let pair) = activity, pair.isClientInside, !pair.isServerInside,
            !pair.server.isPrivate || thresholds[Self.privateServers] >= 1,
            !ServicePorts.periodic.contains(pair.port), isEven(pair)
        else { return [] }
        let most = Int(thresholds[Self.clients])
        let callers = places.update(
            Service(server: pair.server, port: pair.port), at: pair.time,
            initial: { Place(touched: pair.time, callers: []) },
            { place in
                place.touched = pair.time
                if !place.callers.contains(pair.client), place.callers.count < most {
                    place.callers.append(pair.client)
                }
                return place.callers.count
            })
        guard callers < most, isLong(pair) else { return [] }
        let period = Double(pair.intervalMean) / 1e6
        var finding = Self.finding(
            pair.time, since: pair.since, .medium,
            "\(pair.client) calls \(pair.server) port \(pair.port) every \(period.rounded().whole) seconds, evenly.",
            [
                .number("interval_seconds", period), .number("interval_jitter", Regularity.jitter(pair)),
                .number("intervals", pair.intervals), .number("bytes_sent_each", pair.sizeMean),
                .number("size_deviation", Double(pair.sizeDeviation) / Double(max(1, pair.sizeMean))),
                .number("connections", pair.connections), .number("workloads", callers),
            ])
        (finding.source, finding.target, finding.port) = (pair.client, pair.server, pair.port)
        finding.sourceLength = pair.client.isIPv4 ? 32 : 128
        finding.ipProtocol = pair.ipProtocol
        return announcer.announce(finding, weight: Double(pair.intervals))
    }

    private func isEven(_ pair: PairActivity) -> Bool {
        let period = Double(pair.intervalMean) / 1e6
        return pair.intervals >= 4 && period >= thresholds[Self.shortest] && period <= thresholds[Self.longest]
            && Regularity.jitter(pair) <= thresholds[Self.jitter]
            && Double(pair.sizeMean) <= thresholds[Self.bytes]
            && Double(pair.sizeDeviation) <= thresholds[Self.sizes] * Double(max(1, pair.sizeMean))
    }

    private func isLong(_ pair: PairActivity) -> Bool {
        Double(pair.intervals) >= thresholds[Self.intervals]
            && pair.since.distance(before: pair.time).seconds >= thresholds[Self.duration]
    }
}
