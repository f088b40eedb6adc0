// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import NetworkModel

/// What a source's probes say so far: the random walk of Jung and others over first contacts, in steps of failures.
///
/// A (host, port) pair that is probed for the first time moves the walk up by one if it fails and down by one if it is
/// answered, not below `floor`. With the paper's rates (a benign contact succeeds in 80 of 100 cases, a scanner's in 20) each step
/// multiplies the likelihood ratio by four: 5 net failures are a ratio of 1024, which is a false alarm in 1000 and a
/// detection in 100 out of 101. The walk leaks one failure each five minutes, so that a long life does not add up.
struct ScanWalk: Remembered {
    private(set) var touched: UInt64
    private(set) var since: UInt64
    /// Net failures.
    private(set) var net = 0.0
    /// When the walk last stood at its floor or below zero, and the counts of then: what the evidence began with.
    private(set) var begin: UInt64
    private var origin: Counts
    private(set) var latest: Counts
    /// When every pair had its outcome, and the counts of then.
    private var settledAt: UInt64
    private var settled: Counts
    /// Steps in which failures grew, at least a second apart.
    private(set) var steps = 0
    private var lastStep: UInt64 = 0
    /// Pairs that were known a while ago: answers to them are due.
    private var dueTime: UInt64
    private var duePairs: UInt32 = 0
    private var recentTime: UInt64
    private var recentPairs: UInt32 = 0
    private(set) var weight = 0.0

    struct Counts: Sendable, Hashable {
        var pairs: UInt32 = 0
        var failures: UInt32 = 0
        var answered: UInt32 = 0
        var ports: UInt32 = 0
        var hosts: UInt32 = 0
        var probes = Probes()

        init() {}
        init(_ source: SourceActivity) {
            pairs = source.distinctPairs
            failures = source.distinctFailures
            answered = source.answered
            ports = source.distinctPorts
            hosts = source.distinctHosts
            probes = source.probes
        }

        /// Pairs without an outcome so far.
        var pending: Double {
            let decided = UInt64(failures) + UInt64(min(answered, pairs))
            return UInt64(pairs) > decided ? Double(UInt64(pairs) - decided) : 0
        }
    }

    static let leak: UInt64 = 300_000_000_000
    /// Time within which an answer comes if one does.
    private static let due: UInt64 = 250_000_000
    /// What comes within this time is one burst.
    private static let burst: UInt64 = 50_000_000
    /// Time after which what is still undecided is no news.
    private static let settling: UInt64 = 2_000_000_000

    init(_ source: SourceActivity) {
        touched = source.since
        since = source.since
        begin = source.since
        dueTime = source.since
        recentTime = source.since
        settledAt = source.since
        origin = Counts()
        settled = Counts()
        latest = Counts()
    }

    /// What grew since the evidence began.
    var failures: UInt32 { latest.failures.growth(since: origin.failures) }
    var ports: UInt32 { latest.ports.growth(since: origin.ports) }
    var hosts: UInt32 { latest.hosts.growth(since: origin.hosts) }
    var pairs: UInt32 { latest.pairs.growth(since: origin.pairs) }
    var answered: UInt32 { latest.answered.growth(since: origin.answered) }
    var probes: Probes { latest.probes.growth(since: origin.probes) }

    /// Seconds over which the evidence was gathered.
    var age: Double { begin.distance(before: touched).seconds }

    /// New pairs a second since the evidence began, or of late if that is more; less than a second counts as one.
    var rate: Double {
        let late = Double(latest.pairs.growth(since: duePairs)) / max(1, dueTime.distance(before: touched).seconds)
        return max(Double(pairs) / max(1, age), late)
    }

    /// True at `needed` net failures; what leaked within a minute does not count.
    func reaches(_ needed: Double) -> Bool { net + 0.25 >= needed }

    /// Pairs probed at least a quarter of a second ago that nothing answered yet, at least.
    var overdue: UInt32 {
        let known = duePairs.growth(since: origin.pairs)
        return known > answered ? known - answered : 0
    }

    /// Takes a report; true if failures grew.
    mutating func take(_ source: SourceActivity, floor: Double) -> Bool {
        if source.since != since { restart(source) }
        let now = Counts(source)
        let failed = Double(now.failures.growth(since: latest.failures))
        let fresh = Double(now.pairs.growth(since: latest.pairs))
        let answers = Double(now.answered.growth(since: latest.answered))
        // An answer to what was known already says nothing about first contacts; an answer may come a report later.
        let succeeded = min(answers, max(0, fresh - failed) + latest.pending)
        if latest.pending == 0 { (settledAt, settled) = (source.time, latest) }
        net -= Double(touched.distance(before: source.time)) / Double(ScanWalk.leak)
        net += failed - succeeded
        note(pairs: now.pairs, at: source.time)
        if net <= 0, succeeded > failed {
            net = max(net, floor)
            // What is undecided yet is the evidence that begins now: a scan may follow an answered ping at once.
            let hasBegun = now.pending > 0 && settledAt.distance(before: source.time) <= ScanWalk.settling
            (begin, origin, steps) = hasBegun ? (settledAt, settled, 0) : (source.time, now, 0)
        }
        latest = now
        touched = max(touched, source.time)
        if failed > 0, lastStep == 0 || lastStep.distance(before: source.time) >= 1_000_000_000 {
            steps += 1
            lastStep = source.time
        }
        weight = max(0, net)
        return failed > 0
    }

    /// Another record of the sensor: its sketches are empty, so that the same targets count anew.
    ///
    /// Evidence is not added up.
    private mutating func restart(_ source: SourceActivity) {
        self = ScanWalk(source)
    }

    private mutating func note(pairs: UInt32, at time: UInt64) {
        // The first of a burst: their answers are due a quarter of a second from now.
        if recentPairs == duePairs, pairs > recentPairs {
            (dueTime, recentTime, recentPairs) = (recentTime, time, pairs)
        } else if recentTime.distance(before: time) <= ScanWalk.burst {
            recentPairs = max(recentPairs, pairs)
        } else if recentTime.distance(before: time) >= ScanWalk.due {
            (dueTime, duePairs) = (recentTime, recentPairs)
            (recentTime, recentPairs) = (time, pairs)
        }
    }
}

extension Probes {
    func growth(since earlier: Probes) -> Probes {
        var grown = Probes()
        grown.syn = syn.growth(since: earlier.syn)
        grown.fin = fin.growth(since: earlier.fin)
        grown.null = null.growth(since: earlier.null)
        grown.xmas = xmas.growth(since: earlier.xmas)
        grown.ack = ack.growth(since: earlier.ack)
        grown.oddFlags = oddFlags.growth(since: earlier.oddFlags)
        grown.udp = udp.growth(since: earlier.udp)
        grown.icmp = icmp.growth(since: earlier.icmp)
        grown.arp = arp.growth(since: earlier.arp)
        return grown
    }

    /// Segments whose flags fit no connection.
    var stealth: UInt64 { [fin, null, xmas, ack, oddFlags].reduce(0) { $0 + UInt64($1) } }
    /// Flags that no stack sends.
    var impossible: UInt64 { [fin, null, xmas].reduce(0) { $0 + UInt64($1) } }
    var sweep: UInt64 { UInt64(icmp) + UInt64(arp) }
    var services: UInt64 { UInt64(syn) + UInt64(udp) }

    /// Kinds that occurred, most first: `SYN 990, UDP 4`.
    var text: String {
        let kinds: [(String, UInt32)] = [
            ("SYN", syn), ("FIN", fin), ("NULL", null), ("XMAS", xmas), ("ACK", ack), ("odd flags", oddFlags),
            ("UDP", udp), ("ICMP", icmp), ("ARP", arp),
        ]
        return kinds.filter { $0.1 > 0 }.sorted { $0.1 > $1.1 }.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
    }
}
