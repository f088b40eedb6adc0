// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import NetworkModel

/// Which kind of scan the evidence would be: one scan has one name.
enum ScanShape: Sendable {
    /// Many ports of few hosts; few ports of many hosts; flags that fit no connection; who is there at all.
    case vertical, horizontal, stealth, sweep

    init(_ walk: ScanWalk) {
        let probes = walk.probes
        if probes.stealth > probes.services + probes.sweep {
            self = .stealth
        } else if probes.sweep > probes.services {
            self = .sweep
        } else {
            self = walk.ports >= walk.hosts ? .vertical : .horizontal
        }
    }
}

/// What the samples of a source say against a scan.
enum ScanAlibi {
    /// Datagrams of traceroute: the last router is their target, and refuses each.
    static func isTraceroute(_ source: SourceActivity) -> Bool {
        !source.samples.isEmpty
            && source.samples.allSatisfy { $0.ipProtocol == .udp && ServicePorts.traceroute.contains($0.port) }
    }

    /// Segments to ports that clients choose: what is left of connections that were closed or are older than the sensors.
    static func isLate(_ source: SourceActivity) -> Bool {
        !source.samples.isEmpty && source.samples.allSatisfy { $0.port >= ServicePorts.firstEphemeral }
    }

    /// Every sample is in a private network, or there is none.
    static func isPrivate(_ source: SourceActivity) -> Bool { source.samples.allSatisfy(\.destination.isPrivate) }

    /// Most failures are policy's doing, of a workload that may not know the policy.
    static func isDenied(_ source: SourceActivity) -> Bool {
        source.isInside
            && UInt64(source.denied) * 2 > UInt64(source.denied) + UInt64(source.refused) + UInt64(source.unanswered)
    }
}

/// What the detectors of scans have in common: the walk for each source, and how many net failures are enough.
struct ScanWatch: Sendable {
    static let capacity = 8192
    private static let lifetime: UInt64 = 900_000_000_000
    private var walks = BoundedTable<IPAddress, ScanWalk>(capacity: ScanWatch.capacity, lifetime: ScanWatch.lifetime)

    var forgotten: UInt64 { walks.forgotten }

    /// The walk after the report, and whether failures grew with it.
    mutating func take(_ source: SourceActivity) -> (walk: ScanWalk, hasGrown: Bool) {
        // Who has reasons to open many connections must first use up some credit.
        let floor = source.isInside ? -3.0 : 0.0
        return walks.update(source.source, at: source.time, initial: { ScanWalk(source) }) { walk in
            let hasGrown = walk.take(source, floor: floor)
            return (walk, hasGrown)
        }
    }

    /// Net failures that are enough: `inside` instead of `outside` for workloads that try the internet or were denied.
    static func needed(_ source: SourceActivity, outside: Double, inside: Double) -> Double {
        guard source.isInside else { return outside }
        return ScanAlibi.isPrivate(source) && !ScanAlibi.isDenied(source) ? outside : max(inside, outside)
    }
}

/// Texts and figures that all scans share.
enum ScanGuide {
    static let failed = Threshold(
        "failedProbes", 8, "net failures", in: 2...1e6,
        "different (host, port) pairs that failed, less those that answered")
    static let failedInside = Threshold(
        "failedProbesInside", 20, "net failures", in: 2...1e6,
        "the same for a workload that tries public addresses, or whose failures are mostly denials by policy")

    static let walk = """
        Threshold random walk: the first probe of each (host, port) pair is a step up if it fails (refused, denied, or unanswered \
        for a second) and a step down if it is answered. The walk leaks a step each five minutes, and begins anew with each record of \
        the sensor, so that retries of one dead service never add up.
        """
    static let sources = [
        "J. Jung, V. Paxson, A. W. Berger, H. Balakrishnan, Fast Portscan Detection Using Sequential Hypothesis Testing, IEEE S&P 2004",
        "A. Wald, Sequential Analysis, 1947",
    ]
    static let evidence: [(name: String, meaning: String)] = [
        ("failed_probes", "different (host, port) pairs that failed since the evidence began"),
        ("answered_probes", "probes answered since then"),
        ("distinct_ports", "estimate of different ports"),
        ("distinct_hosts", "estimate of different hosts"),
        ("pairs_per_second", "new (host, port) pairs a second"),
        ("probes", "probes by kind, most first"),
        ("sample_ports", "ports of the last probes"),
        ("sample_hosts", "destinations of the last probes"),
    ]

    static func evidence(_ walk: ScanWalk, _ source: SourceActivity) -> [Evidence] {
        var evidence: [Evidence] = [
            .number("failed_probes", walk.failures), .number("answered_probes", walk.answered),
            .number("distinct_ports", walk.ports), .number("distinct_hosts", walk.hosts),
            .number("pairs_per_second", walk.rate), Evidence("probes", .text(walk.probes.text)),
        ]
        let ports = source.samples.map(\.port).filter { $0 > 0 }
        if !ports.isEmpty { evidence.append(Evidence("sample_ports", .ports(ports))) }
        if !source.samples.isEmpty {
            evidence.append(Evidence("sample_hosts", .addresses(source.samples.map(\.destination))))
        }
        return evidence
    }

    /// Fills in who does it to whom.
    static func name(_ finding: inout Finding, _ source: SourceActivity, _ walk: ScanWalk) {
        finding.source = source.source
        finding.sourceLength = source.length
        if let sample = source.samples.last {
            let isOneHost = source.samples.allSatisfy { $0.destination == sample.destination } && walk.hosts <= 1
            let isOnePort = source.samples.allSatisfy { $0.port == sample.port } && walk.ports <= 1
            if isOneHost { finding.target = sample.destination }
            if isOnePort { finding.port = sample.port }
            if source.samples.allSatisfy({ $0.ipProtocol == sample.ipProtocol }) {
                finding.ipProtocol = sample.ipProtocol
            }
        }
    }

    static func text(_ source: SourceActivity) -> String {
        source.length < (source.source.isIPv4 ? 32 : 128) ? "\(source.source)/\(source.length)" : "\(source.source)"
    }
}
