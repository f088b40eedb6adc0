// SPDX-License-Identifier: Apache-2.0

import IdentityAllocation
import IdentityModel
import KernelDatapath

/// How many flows the kernel's table held, when that was counted, and what counting cost.
struct ConntrackTally: Sendable {
    var entries = 0
    var countedAt: ContinuousClock.Instant?
    var cost = Duration.zero

    /// Who polls `status` must not keep a CPU busy: counting gets a twentieth of the time, at the most.
    func isDue(at now: ContinuousClock.Instant) -> Bool {
        guard let countedAt else { return true }
        return now - countedAt > cost * 20
    }
}

extension AgentState {
    /// Removes expired flows and remembers how many are left.
    ///
    /// Not on the actor: a change need not wait until a large table is read.
    nonisolated func sweepConntrack() async {
        let begin = ContinuousClock.now
        let report = Result {
            try datapath.sweepNames()
            return try datapath.sweepConntrack()
        }
        await note(report, begin)
    }

    private func note(_ sweep: Result<SweepReport, any Error>, _ begin: ContinuousClock.Instant) {
        do {
            let report = try sweep.get()
            conntrackTally = ConntrackTally(
                entries: report.visited - report.expired - report.orphaned, countedAt: begin, cost: conntrackTally.cost)
            if let shortage = shortage(report) {
                self.report("conntrack", shortage)
            } else {
                clearProblem("conntrack")
            }
        } catch {
            self.report("conntrack", "\(error)")
        }
    }

    /// What to say if the table, or an endpoint's share of it, was nearly full before the sweep; nil if neither was.
    private func shortage(_ report: SweepReport) -> String? {
        let isFull = { (count: Int, limit: Int) in limit > 0 && count >= limit - limit / 10 }
        if isFull(report.visited, report.capacity) {
            return "the conntrack table holds \(report.visited) of \(report.capacity) flows and refuses new ones when "
                + "full; raise `tables.conntrackEntries`, or find the flood with `bulkhead observe`"
        }
        let greedy = report.held.filter { isFull($0.value, report.share) }.keys.sorted()
        guard !greedy.isEmpty else { return nil }
        let names = greedy.map { number in
            let key = endpointNumbers.assigned.first { $0.value == Int(number) }?.key
            return key.flatMap { engine.input.workloads[$0]?.name } ?? "endpoint \(number)"
        }
        return "\(names.joined(separator: ", ")): nearly all of an endpoint's share of the conntrack table is taken "
            + "(\(report.share) flows), beyond which new flows are dropped; find the flood with `bulkhead observe`"
    }

    /// Flows in the kernel's table, counted now unless that was done a moment ago; and how long ago.
    func conntrackCount() -> (entries: Int, age: Duration) {
        let begin = ContinuousClock.now
        if conntrackTally.isDue(at: begin), let entries = try? datapath.conntrackCount() {
            conntrackTally = ConntrackTally(
                entries: entries, countedAt: begin, cost: ContinuousClock.now - begin)
        }
        return (conntrackTally.entries, conntrackTally.countedAt.map { ContinuousClock.now - $0 } ?? .zero)
    }
}
