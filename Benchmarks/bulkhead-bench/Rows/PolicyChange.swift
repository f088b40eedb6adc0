// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// How soon a changed file is in force, with 10 000 policies and 100 000 entries, and whether any packet saw a mixture.
///
/// The file opens one port of a workload to one peer and closes another in the same stroke. While it changes, test runs
/// of the pinned program ask for both ports: between two equal readings of the generation exactly one may be open, and
/// always the same one for the same generation.
enum PolicyChange: Benchmark {
    static let name = "change"
    static let summary = "one rule changed at 10 000 policies: file written to in force, no mixed verdict"
    private static let policies = 10_000
    private static let applications = 500
    private static let millisecondsMax = 50.0

    static func run(_ effort: Effort) throws -> [Row] {
        let corpus = PolicyCorpus(policies: policies, applications: applications)
        let field = try AgentField(agentPath: effort.agentPath, endpoints: 10, corpus: corpus)
        let started = try field.start()
        report("  change: agent with \(policies) policies up in \(ResultTable.number(started)) ms")
        let prober = try BenchThread.run(in: .named(field.host), cpu: nil) { try VerdictProber(field: field) }
        try BenchThread.run(in: .named(field.host), cpu: nil) { try prober.waitUntilInForce() }
        let probing = try BenchThread.start {
            _ = try? BenchThread.run(in: .named(field.host), cpu: nil) { prober.run() }
        }
        let changes = effort.isQuick ? 20 : 200
        let outcome = Result {
            try BenchThread.run(in: .named(field.host), cpu: nil) { try measure(changes, field, prober) }
        }
        prober.stop()
        pthread_join(probing, nil)
        let delays = try outcome.get(), tally = prober.tally
        let figures = [delays.median, delays.quantile(0.99), delays.greatest].map(ResultTable.number)
        report("  change: ms median, p99, max \(figures.joined(separator: ", ")); \(tally)")
        guard tally.open == [true, true] else {
            throw BenchError("the probes never saw both variants in force: the change was not observed")
        }
        return [
            Row("rule change in force, p99", unit: "ms", ours: delays.quantile(0.99), bound: millisecondsMax),
            Row("mixed verdicts during changes", unit: "packets", ours: Double(tally.mixed), bound: 0),
        ]
    }

    /// Milliseconds from renaming the file into place until a packet is judged by it, for each of `changes` changes.
    private static func measure(_ changes: Int, _ field: AgentField, _ prober: VerdictProber) throws -> Samples {
        var delays = Samples(), source: UInt16 = 30_000
        for change in 1...changes {
            let begin = try field.change(to: change % 2)
            repeat {
                guard Clocks.wall - begin < 30_000_000_000 else {
                    throw BenchError("a changed policy was not in force after 30 s")
                }
                Clocks.sleep(nanoseconds: 100_000)
                source = source == UInt16.max ? 30_000 : source + 1
            } while prober.isOpen(PolicyCorpus.variantPorts[change % 2], from: source) != true
            delays.add(Double(Clocks.wall - begin) / 1e6)
            Clocks.sleep(nanoseconds: 50_000_000)
        }
        return delays
    }
}

/// Asks the pinned program about two ports, over and over, and compares what it says with the generation in force.
private final class VerdictProber: @unchecked Sendable {
    struct Tally: CustomStringConvertible {
        var pairs = 0
        var mixed = 0
        /// Which variants have been seen in force.
        var open = [false, false]

        var description: String { "\(pairs) pairs of packets judged, \(mixed) mixed" }
    }

    // Sendable although not checked: `tally` is the prober thread's alone until it has been joined.
    private let probe: PacketProbe
    private let stopping = Atomic<Bool>(false)
    private(set) var tally = Tally()

    init(field: AgentField) throws { probe = try PacketProbe(field: field, workloads: 0..<(PolicyCorpus.target + 1)) }

    /// The agent is ready before it has found the last workload: waits until the first variant is in force.
    func waitUntilInForce() throws {
        let end = Clocks.wall + 60_000_000_000
        while isOpen(PolicyCorpus.variantPorts[0], from: 1000) != true {
            guard Clocks.wall < end else { throw BenchError("the policy was not in force a minute after the start") }
            Clocks.sleep(nanoseconds: 10_000_000)
        }
    }

    func stop() { stopping.store(true, ordering: .releasing) }

    func run() {
        var port: UInt16 = 1024
        var variantOf: [UInt32: Int] = [:]
        while !stopping.load(ordering: .acquiring) {
            port = port == 29_999 ? 1024 : port + 1
            let before = probe.generation
            guard let first = isOpen(PolicyCorpus.variantPorts[0], from: port),
                let second = isOpen(PolicyCorpus.variantPorts[1], from: port)
            else { continue }
            guard probe.generation == before else { continue }
            tally.pairs += 1
            let variant = first ? 0 : 1
            if first == second || variantOf[before, default: variant] != variant { tally.mixed += 1 }
            variantOf[before] = variant
            tally.open[variant] = true
            Clocks.sleep(nanoseconds: 500_000)
        }
    }

    /// Whether the program lets a first packet to a port of the workload pass; nil if it could not be run.
    func isOpen(_ port: UInt16, from source: UInt16) -> Bool? {
        probe.isOpen(port, of: PolicyCorpus.target, peer: PolicyCorpus.changingPeer, from: source)
    }
}
