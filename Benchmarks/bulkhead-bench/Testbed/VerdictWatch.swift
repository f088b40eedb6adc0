// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// Asks an agent's programs about packets from the same peers, over and over, and counts answers that should not be.
final class VerdictWatch: @unchecked Sendable {
    /// A packet, and which answers are right.
    struct Question {
        var workload = 0
        var peer: UInt32
        var port: UInt16
        /// Nil: both; it may change while it is asked.
        var isOpen: Bool?
    }

    struct Tally {
        var asked = 0
        /// Answers `open` where it should never be, and the other way round.
        var wronglyOpen = 0
        var wronglyClosed = 0
    }

    // Sendable although not checked: `tally` is the asking thread's alone until it has been joined.
    private let probe: PacketProbe
    private let namespace: String
    private let questions: [Question]
    private let stopping = Atomic<Bool>(false)
    private var tally = Tally()
    private var thread: pthread_t?

    init(_ field: AgentField, _ questions: [Question], workloads: Range<Int> = 0..<1) throws {
        namespace = field.host
        self.questions = questions
        probe = try BenchThread.run(in: .named(field.host), cpu: nil) {
            try PacketProbe(field: field, workloads: workloads)
        }
    }

    /// Waits until all answers are right; returns the milliseconds since `begin`.
    func waitUntilRight(since begin: UInt64, seconds: UInt64, _ questions: [Question]? = nil) throws -> Double {
        let wanted = questions ?? self.questions
        return try BenchThread.run(in: .named(namespace), cpu: nil) { [probe] in
            var source: UInt16 = 30_000, next = 0
            while next < wanted.count {
                source = source == UInt16.max ? 30_000 : source + 1
                let question = wanted[next]
                let isOpen = probe.isOpen(question.port, of: question.workload, peer: question.peer, from: source)
                if isOpen == question.isOpen || question.isOpen == nil {
                    next += 1
                    continue
                }
                guard Clocks.wall - begin < seconds * 1_000_000_000 else {
                    throw BenchError(
                        "after \(seconds) s a packet from \(RuleSet.text(question.peer)) is judged as before")
                }
                Clocks.sleep(nanoseconds: 200_000)
            }
            return Double(Clocks.wall - begin) / 1e6
        }
    }

    func start() throws {
        thread = try BenchThread.start { [self] in
            _ = try? BenchThread.run(in: .named(namespace), cpu: nil) { self.run() }
        }
    }

    /// Ends it; what was counted since `start`.
    func stop() -> Tally {
        stopping.store(true, ordering: .releasing)
        if let thread { pthread_join(thread, nil) }
        return tally
    }

    private func run() {
        var source: UInt16 = 1024
        while !stopping.load(ordering: .acquiring) {
            source = source == 29_999 ? 1024 : source + 1
            for question in questions {
                guard let expected = question.isOpen,
                    let isOpen = probe.isOpen(question.port, of: question.workload, peer: question.peer, from: source)
                else { continue }
                tally.asked += 1
                if isOpen, !expected { tally.wronglyOpen += 1 }
                if !isOpen, expected { tally.wronglyClosed += 1 }
            }
            // Each packet that passes is a flow, and a workload has no more of them than its share of the table.
            Clocks.sleep(nanoseconds: 20_000_000)
        }
    }
}
