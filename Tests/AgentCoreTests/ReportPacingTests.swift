// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import Testing

@testable import AgentCore

/// When a node writes its report.
@Suite struct ReportPacingTests {
    private var pacing = ReportPacing()
    private var now: Duration = .seconds(1000)

    private func report(_ count: Int) -> NodePolicyReport {
        var report = NodePolicyReport()
        report.digests["k"] = DocumentDigest(sum: UInt64(count), count: count)
        return report
    }

    private mutating func isDue(_ report: NodePolicyReport, after time: Duration = .zero, nodes: Int = 3) -> Bool {
        now += time
        guard let due = pacing.due(report, nodes: nodes, spread: 0.5, now: now) else { return false }
        pacing.settle(due, now: now)
        return true
    }

    @Test mutating func `a change is written, no more often than once a second, and nothing is not`() {
        #expect(pacing.due(nil, nodes: 3, spread: 0.5, now: now) == nil)
        #expect(isDue(report(1)))
        #expect(!isDue(report(1), after: .seconds(60)))
        #expect(isDue(report(2)))
        #expect(!isDue(report(3), after: .milliseconds(500)))
        #expect(isDue(report(3), after: .milliseconds(500)))
    }

    @Test mutating func `a node that has nothing to say is heard all the same`() {
        #expect(isDue(report(1)) && pacing.isBeat)
        #expect(!isDue(report(1), after: .seconds(119)))
        #expect(isDue(report(1), after: .seconds(1)) && pacing.isBeat)
        #expect(isDue(report(2), after: .seconds(2)) && !pacing.isBeat)
    }

    @Test mutating func `thousands of nodes do not write at once`() {
        #expect(isDue(report(1), nodes: 5000))
        #expect(!isDue(report(2), after: .seconds(9), nodes: 5000))
        #expect(isDue(report(2), after: .seconds(1), nodes: 5000))
    }

    @Test mutating func `what cannot be written is tried less and less often`() {
        var attempts = 0
        for _ in 0..<600 {
            now += .seconds(1)
            guard pacing.due(report(1), nodes: 3, spread: 0.5, now: now) != nil else { continue }
            attempts += 1
            pacing.fail()
        }
        #expect((10...20).contains(attempts), "\(attempts)")
    }

    @Test mutating func `a kind that fails for a moment is nobody's business`() {
        #expect(isDue(report(1)))
        var failing = report(1)
        failing.problems["k"] = "500"
        #expect(!isDue(failing, after: .seconds(10)))
        #expect(!isDue(report(1), after: .seconds(10)))
        #expect(!isDue(failing, after: .seconds(10)))
        #expect(isDue(failing, after: .seconds(15)))
        #expect(isDue(report(1), after: .seconds(2)), "and when it is well again that is said at once")
    }
}
