// SPDX-License-Identifier: Apache-2.0

import KubernetesClient
import Logging
import Synchronization

/// How it stands with a controller, as its socket tells it.
package struct ControllerStatus: Codable, Hashable, Sendable {
    package var identity: String
    package var isLeader = false
    /// True once everything that is to be written is known.
    package var isComplete = false
    package var slices = 0
    /// Those that the slices name, once all are written.
    package var workloads = 0
    /// Slices that wait to be written.
    package var backlog = 0
    /// Since the start, of this process.
    package var writes = 0
    package var failedWrites = 0
    /// Whose conditions are kept.
    package var policies = 0
    /// Nodes that report on policies; and of these, who was not heard for minutes.
    package var nodes = 0
    package var silentNodes = 0
    /// Conditions that wait to be looked at or written; what was written since the start, and what was not.
    package var policyBacklog = 0
    package var policyWrites = 0
    package var failedPolicyWrites = 0
    /// Events on policies, since the start.
    package var events = 0
    /// What is wrong, by what it is about.
    package var problems: [String: String] = [:]
}

/// Where the parts of a controller tell how it stands.
final class ControllerBoard: Sendable {
    private let content: Mutex<ControllerStatus>

    init(identity: String) { content = Mutex(ControllerStatus(identity: identity)) }

    var status: ControllerStatus { content.withLock { $0 } }

    func update(_ change: (inout ControllerStatus) -> Void) { content.withLock { change(&$0) } }

    /// Notes a problem, or with nil that it is well again; true if that is news.
    func note(_ subject: String, _ problem: String?) -> Bool {
        content.withLock { status in
            guard status.problems[subject] != problem else { return false }
            status.problems[subject] = problem
            return true
        }
    }
}

extension ControllerBoard {
    /// The same, and tells the log.
    func note(_ subject: String, _ problem: String?, _ logger: Logger) {
        guard note(subject, problem) else { return }
        if let problem {
            logger.warning("\(problem)", metadata: ["subject": "\(subject)"])
        } else {
            logger.notice("well again", metadata: ["subject": "\(subject)"])
        }
    }
}

extension InformerStatus {
    /// Nil: it is well.
    var problem: String? {
        switch self {
        case .connected: nil
        case .retrying(let reason), .forbidden(let reason), .notInstalled(let reason): reason
        case .unreadable(let objects):
            objects.min { $0.key.description < $1.key.description }
                .map { "\(objects.count) cannot be read, among them \($0.key): \($0.value)" }
        }
    }
}
