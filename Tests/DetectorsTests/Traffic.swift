// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import Detectors
import NetworkModel

/// Addresses and times of the tests.
enum Stage {
    static let second: UInt64 = 1_000_000_000
    static let outsider = address(203, 0, 113, 9)
    static let workload = address(10, 0, 0, 5)
    static let server = address(10, 0, 0, 80)

    static func address(_ a: UInt32, _ b: UInt32, _ c: UInt32, _ d: UInt32) -> IPAddress {
        IPAddress(v4: a << 24 | b << 16 | c << 8 | d)
    }

    /// The `index`th host of a large network outside.
    static func host(_ index: Int) -> IPAddress { IPAddress(v4: 0x0808_0000 + UInt32(index)) }

    static func nanoseconds(_ seconds: Double) -> UInt64 { UInt64(seconds * 1e9) }
}

/// What became of a probe.
enum Outcome: Sendable { case answered, refused, denied, silent }

/// Which count of a record a probe belongs to.
enum Kind: Sendable {
    case syn, fin, null, xmas, ack, oddFlags, udp, icmp, arp

    func count(_ probes: inout Probes) {
        switch self {
        case .syn: probes.syn += 1
        case .fin: probes.fin += 1
        case .null: probes.null += 1
        case .xmas: probes.xmas += 1
        case .ack: probes.ack += 1
        case .oddFlags: probes.oddFlags += 1
        case .udp: probes.udp += 1
        case .icmp: probes.icmp += 1
        case .arp: probes.arp += 1
        }
    }
}

/// A model of the sensors' record of one source: exact counts instead of sketches, reported as they grow.
///
/// Reported from the fourth pair or failure and the 64th probe on, each up to eight and then whenever one has grown by a quarter.
struct SourceSensor {
    private var activity: SourceActivity
    private var pairs: Set<ProbeSample> = []
    private var failed: Set<ProbeSample> = []
    private var ports: Set<UInt16> = []
    private var hosts: Set<IPAddress> = []
    private var open: [(due: UInt64, sample: ProbeSample)] = []
    private var oldest = 0
    private var levels: [UInt32] = [4, 4, 64]
    private var reports: [Activity] = []
    /// How long a record lives.
    private let life: UInt64

    init(_ source: IPAddress, isInside: Bool, at seconds: Double = 0, life: Double = 300) {
        let time = Stage.nanoseconds(seconds)
        activity = SourceActivity(
            source: source, length: source.isIPv4 ? 32 : 64, isInside: isInside, since: time, time: time)
        self.life = Stage.nanoseconds(life)
    }

    mutating func probe(
        _ host: IPAddress, _ port: UInt16, _ ipProtocol: IPProtocol = .tcp, at seconds: Double, _ outcome: Outcome,
        kind: Kind? = nil
    ) {
        let time = Stage.nanoseconds(seconds)
        settle(to: time)
        renew(at: time)
        let sample = ProbeSample(destination: host, port: port, ipProtocol: ipProtocol)
        activity.time = time
        activity.packets += 1
        activity.bytes += 60
        (kind ?? (ipProtocol == .udp ? .udp : ipProtocol == .tcp ? .syn : .icmp)).count(&activity.probes)
        activity.samples = (activity.samples + [sample]).suffix(4)
        pairs.insert(sample)
        ports.insert(port)
        hosts.insert(host)
        switch outcome {
        case .answered: activity.answered += 1
        case .refused:
            activity.refused += 1
            failed.insert(sample)
        case .denied:
            activity.denied += 1
            failed.insert(sample)
        case .silent: open.append((time + Stage.second, sample))
        }
        report()
    }

    /// Lets time pass, so that what was not answered counts as such.
    mutating func wait(to seconds: Double) {
        settle(to: Stage.nanoseconds(seconds))
    }

    mutating func take() -> [Activity] {
        defer { reports = [] }
        return reports
    }

    private mutating func settle(to time: UInt64) {
        while oldest < open.count, open[oldest].due <= time {
            let first = open[oldest]
            oldest += 1
            activity.unanswered += 1
            activity.time = max(activity.time, first.due)
            failed.insert(first.sample)
            report()
        }
    }

    private mutating func renew(at time: UInt64) {
        guard time > activity.since + life else { return }
        activity = SourceActivity(
            source: activity.source, length: activity.length, isInside: activity.isInside, since: time, time: time)
        (pairs, failed, ports, hosts, levels) = ([], [], [], [], [4, 4, 64])
    }

    private mutating func report() {
        activity.distinctPairs = UInt32(pairs.count)
        activity.distinctFailures = UInt32(failed.count)
        activity.distinctPorts = UInt32(ports.count)
        activity.distinctHosts = UInt32(hosts.count)
        let now = [activity.distinctPairs, activity.distinctFailures, UInt32(activity.probes.total)]
        guard zip(now, levels).contains(where: { $0 >= $1 }) else { return }
        levels = zip(now, levels).map { $0 >= $1 ? $0 + max(1, $0 < 8 ? 1 : $0 / 4) : $1 }
        reports.append(.source(activity))
    }
}

extension DetectorSet {
    /// Runs a sequence of reports; findings in order.
    mutating func run(_ activities: [Activity]) -> [Finding] {
        activities.sorted { $0.time < $1.time }.flatMap { consider($0) }
    }
}

/// Runs reports through a fresh set with all detectors.
func findings(_ activities: [Activity], _ configuration: DetectorConfiguration = .init()) -> [Finding] {
    var set = DetectorSet(configuration)
    return set.run(activities)
}

/// One second of a target's traffic.
func second(_ index: Int, of target: IPAddress = Stage.server, _ fill: (inout TargetActivity) -> Void) -> Activity {
    let since = UInt64(index) * Stage.second
    var activity = TargetActivity(
        target: target, isInside: true, since: since, time: since + Stage.second, isWhole: true)
    fill(&activity)
    if activity.packets == 0 {
        activity.packets = activity.syn + activity.udp + activity.icmp + activity.fragments + activity.strayTCP
        activity.bytes = activity.packets * 60
    }
    return .target(activity)
}

/// The same after a part of the second.
func part(_ index: Int, after seconds: Double, _ fill: (inout TargetActivity) -> Void) -> Activity {
    guard case .target(var activity) = second(index, fill) else { return second(index, fill) }
    activity.isWhole = false
    activity.time = activity.since + Stage.nanoseconds(seconds)
    return .target(activity)
}
