// SPDX-License-Identifier: Apache-2.0

import FlowAggregation
import PolicyLog
import Synchronization

/// What is to be logged by the policies in force; read for each flow, on the thread that reads events.
final class LogRuleBoard: Sendable {
    private let content: Mutex<LogRules>

    init(_ rules: LogRules) { content = Mutex(rules) }

    var rules: LogRules { content.withLock { $0 } }

    func isWanted(_ flow: Flow) -> Bool { content.withLock { $0.isWanted(flow) } }

    /// A change of policies is in force.
    func note(_ delta: PolicyDelta) {
        guard !delta.isEmpty else { return }
        content.withLock { rules in
            for reference in delta.removals { rules.set(reference, nil) }
            for (reference, policy) in delta.settings { rules.set(reference, policy) }
        }
    }
}
