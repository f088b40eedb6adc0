// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import ControlAPI
import LinuxHost

extension AgentState {
    func clusterStatus() -> ClusterStatus? {
        guard let cluster else { return nil }
        var status = ClusterStatus(
            feed: cluster.feed, connected: cluster.status.isConnected, message: cluster.status.message,
            currentAt: cluster.currentAt.map { Timestamp.text(seconds: $0) },
            ageSeconds: cluster.age(now: Timestamp.secondsNow()),
            remembered: !cluster.hasSnapshot && cluster.currentAt != nil, policies: cluster.documents.count,
            workloads: engine.countRemotes(keysWith: cluster.keyPrefix))
        status.telling = telling?.status
        return status
    }

    /// What of the cluster is not heard, and what it said that is not in force.
    func clusterProblems() -> [ProblemReport] {
        guard let cluster else { return [] }
        var messages = cluster.status.problems.merging(cluster.hosts.problems) { $1 }
        if !cluster.status.isConnected {
            let standing =
                cluster.currentAt.map { "what was known at \(Timestamp.text(seconds: $0)) stays in force" }
                ?? "nothing of the cluster is known yet"
            messages[cluster.feed] = "\(cluster.status.message); \(standing)"
        }
        return messages.sorted { $0.key < $1.key }.map { subject, message in
            ProblemReport(subject: subject, message: message, since: firstSeen("cluster \(subject)", message))
        }
    }

    /// Why texts that hold policies are not in force, by file or object.
    var fileProblems: [String: String] {
        guard let cluster else { return directory.problems }
        return cluster.documents.problems.reduce(into: directory.problems) { problems, problem in
            problems["\(cluster.feed):\(problem.key)"] = problem.value
        }
    }
}
