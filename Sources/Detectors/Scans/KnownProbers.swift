// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import Glibc
import NetworkModel

/// Who of late tried several ports of a target, as the sensors' records of sources say: its own sketches name nobody.
///
/// Counts are upper bounds of what a source has added to the target's, so that nothing of one scanner is left for a crowd.
struct KnownProbers: Sendable {
    /// What the sources that are known explain, and those of them that do little each.
    struct Account: Sendable {
        /// Sources that need no others to explain what they tried.
        var alone = 0
        var ports = 0.0
        var failures = 0.0
        /// Sources that failed a little each: enough of them are a crowd.
        var few = 0
        var fewFailures = 0.0
    }

    private struct Prober: Sendable {
        var touched: UInt64
        var since: UInt64
        var ports = 0.0
        var failures = 0.0
        /// What the sensor's records before this one said, fading.
        var earlierPorts = 0.0
        var earlierFailures = 0.0
        var isFailing = false

        /// Records are reported as they grow by a quarter, and sketches err: a third more than was reported.
        var allPorts: Double { (ports + earlierPorts) * 4 / 3 }
        var allFailures: Double { (failures + earlierFailures) * 4 / 3 }
    }

    private struct Crowd: Remembered {
        var touched: UInt64
        var weight = 0.0
        var probers: [IPAddress: Prober] = [:]
    }

    static let capacity = 1024
    /// Sources of a target, at most: the strongest.
    private static let most = 64
    /// Ports, and failures, below which a source is not reported.
    private static let least: UInt32 = 4
    /// A target's sketches tell of no more than this.
    private static let memory: UInt64 = 720_000_000_000
    /// Bits of a source's sketch: a failed probe whose bit is set already is not counted at its target.
    private static let sketch = 512.0

    private var crowds = BoundedTable<IPAddress, Crowd>(capacity: capacity, lifetime: memory)

    var forgotten: UInt64 { crowds.forgotten }

    mutating func note(_ source: SourceActivity) {
        guard source.distinctPorts >= Self.least else { return }
        // Each other host took one pair at least.
        let others = source.distinctHosts > 1 ? source.distinctHosts - 1 : 0
        let pairs = source.distinctPairs > others ? source.distinctPairs - others : 0
        let ports = Double(min(source.distinctPorts, pairs))
        guard ports >= Double(Self.least) else { return }
        // Under load a record holds a share of what was tried, which is weighed instead; so is what a full sketch misses.
        let tried = Double(source.probes.services + source.probes.stealth)
        let isAnswered = Double(source.answered) * 2 >= tried
        let scale = isAnswered ? 1 : max(1, tried / Double(source.distinctPairs))
        let failed = min(Double(source.distinctFailures), ports)
        let failures = min(
            Double(source.refused) + Double(source.denied), Self.sketch * (1 - exp(-failed / Self.sketch)) * scale)
        for target in Set(source.samples.map(\.destination)) {
            crowds.update(target, at: source.time, initial: { Crowd(touched: source.time) }) { crowd in
                crowd.touched = max(crowd.touched, source.time)
                Self.note(&crowd.probers, source, ports: ports * scale, failures: failures)
                crowd.weight = max(crowd.weight, ports)
            }
        }
    }

    private static func note(
        _ probers: inout [IPAddress: Prober], _ source: SourceActivity, ports: Double, failures: Double
    ) {
        var prober = probers[source.source] ?? Prober(touched: source.time, since: source.since)
        if prober.since != source.since {
            let (kept, late) = (left(of: prober.since, at: source.since), left(of: prober.touched, at: source.time))
            prober.earlierPorts = prober.earlierPorts * kept + prober.ports * late
            prober.earlierFailures = prober.earlierFailures * kept + prober.failures * late
            prober.since = source.since
        }
        (prober.touched, prober.ports, prober.failures) = (source.time, ports, failures)
        prober.isFailing = source.distinctFailures >= least
        if probers[source.source] == nil, probers.count >= most {
            probers = probers.filter { $0.value.touched.distance(before: source.time) <= memory }
            if probers.count >= most, let weakest = probers.min(by: { $0.value.ports < $1.value.ports }) {
                guard weakest.value.ports < ports else { return }
                probers[weakest.key] = nil
            }
        }
        probers[source.source] = prober
    }

    /// The share of what was counted then that a target's sketches still tell of.
    private static func left(of then: UInt64, at time: UInt64) -> Double {
        max(0, 1 - Double(then.distance(before: time)) / Double(memory))
    }

    /// What is known of a target's sources.
    ///
    /// Alone is who tried more than `each` ports or did not fail; and everybody while those who failed are
    /// fewer than `crowd`.
    func account(of target: IPAddress, at time: UInt64, each: Double, crowd: Double) -> Account {
        var account = Account()
        guard let known = crowds[target] else { return account }
        let probers = known.probers.values.filter { $0.touched.distance(before: time) <= Self.memory }
        let few = probers.filter { $0.isFailing && $0.ports <= each }
        let isCrowd = Double(few.count) >= min(crowd, Double(Self.most))
        for prober in probers where !(isCrowd && prober.isFailing && prober.ports <= each) {
            account.alone += 1
            account.ports += prober.allPorts
            account.failures += prober.allFailures
        }
        if isCrowd {
            account.few = few.count
            account.fewFailures = few.reduce(0) { $0 + $1.failures }
        }
        return account
    }
}
