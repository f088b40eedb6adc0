// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import ControlAPI
import KubernetesClient
import Logging

/// Keeps this node's report in the cluster as it stands with the policies here.
struct NodeReportWriter: Sendable {
    private static let interval: Duration = .milliseconds(250)
    private static let manager = "bulkhead-agent"

    let client: KubernetesClient
    let state: AgentState
    let node: String
    let board: TellingBoard
    let logger: Logger

    /// Runs until cancelled.
    func run() async {
        var pacing = ReportPacing()
        var owner: String?
        let spread = Double.random(in: 0...1)
        let begin = ContinuousClock.now
        while (try? await Task.sleep(for: Self.interval)) != nil {
            let (report, nodes) = (await state.policyReport(), await state.clusterNodeCount)
            let now = ContinuousClock.now - begin
            guard let report = pacing.due(report, nodes: nodes, spread: spread, now: now) else { continue }
            // A node that was deleted and came back is another one.
            if pacing.isBeat { owner = await nodeUID() ?? owner }
            if let problem = await write(report, owner) {
                if Task.isCancelled { return }
                pacing.fail()
                note(problem)
            } else {
                pacing.settle(report, now: ContinuousClock.now - begin)
                note(nil)
            }
        }
    }

    private func note(_ problem: String?) {
        let isNews = board.update { status in
            defer { status.reportProblem = problem }
            if problem == nil { status.reports += 1 }
            return status.reportProblem != problem
        }
        guard isNews else { return }
        if let problem {
            logger.warning("\(problem)")
        } else {
            logger.notice("the report on policies is written again")
        }
    }

    private func nodeUID() async -> String? {
        try? await client.get(.nodes, ObjectKey(name: node)).meta.uid
    }

    /// Nil: done.
    private func write(_ report: NodePolicyReport, _ owner: String?) async -> String? {
        var object = report.object(time: RFC3339.text(microseconds: WallClock.microseconds()))
        if let owner {
            // It goes with its node.
            object["metadata"] = [
                "ownerReferences": [
                    ["apiVersion": "v1", "kind": "Node", "name": .string(node), "uid": .string(owner)]
                ]
            ]
        }
        do throws(KubernetesError) {
            _ = try await client.apply(.nodePolicyReports, ObjectKey(name: node), object, manager: Self.manager)
            return nil
        } catch {
            return switch error.kind {
            case .notFound:
                "this node does not report on policies: \(ResourceKind.nodePolicyReports) is not installed"
            default: "this node cannot report on policies: \(error.message)"
            }
        }
    }
}
