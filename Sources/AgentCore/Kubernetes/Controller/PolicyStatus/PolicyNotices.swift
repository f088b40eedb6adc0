// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import KubernetesClient

/// Which Events policies get, and when: one for each state of a policy that is refused or not in force, and now and then
/// again while that lasts.
///
/// Pure. What is over the bound waits; nothing is lost.
struct PolicyNotices: Sendable {
    struct Notice: Hashable, Sendable {
        var policy: PolicyStatusPlan.PolicyID
        var note: EventRecorder.Note
        /// The same for the same trouble of the same state, whoever leads.
        var name: String
        /// How often it was told, this time included.
        var count: Int
    }

    private struct Told: Sendable {
        var trouble: PolicyTrouble
        var at: Duration
        var count: Int
    }

    /// Nodes that refuse a policy do so within moments of each other.
    private static let refusalPatience: Duration = .seconds(1)
    private static let patience: Duration = .seconds(30)
    /// Servers forget Events after an hour.
    private static let repetition: Duration = .seconds(1800)

    private var allowance = EventAllowance(burst: 20, every: .seconds(1))
    private var told: [PolicyStatusPlan.PolicyID: Told] = [:]

    /// What is to be told now.
    mutating func due(_ troubles: [PolicyStatusPlan.PolicyID: PolicyTrouble], now: Duration) -> [Notice] {
        told = told.filter { troubles[$0.key]?.isSame(as: $0.value.trouble) == true }
        var notices: [Notice] = []
        for (policy, trouble) in troubles {
            let patience = trouble.isRefused ? Self.refusalPatience : Self.patience
            guard now - trouble.since >= patience else { continue }
            let former = told[policy]
            if let former, now - former.at < Self.repetition { continue }
            guard allowance.take(now: now) else { break }
            let count = (former?.count ?? 0) + 1
            told[policy] = Told(trouble: trouble, at: now, count: count)
            notices.append(
                Notice(policy: policy, note: trouble.note, name: trouble.eventName(policy), count: count))
        }
        return notices
    }

    /// It was not told: it is to be told again.
    mutating func fail(_ notice: Notice) { told[notice.policy] = nil }
}

extension PolicyTrouble {
    func isSame(as other: PolicyTrouble) -> Bool { isRefused == other.isRefused && mark == other.mark }

    fileprivate var note: EventRecorder.Note {
        isRefused
            ? .init("PolicyRefused", action: "Reading", text, isWarning: true)
            : .init("PolicyNotInForce", action: "Enforcing", text, isWarning: true)
    }

    fileprivate func eventName(_ policy: PolicyStatusPlan.PolicyID) -> String {
        let state = String(mark.token, radix: 16)
        return "\(policy.key.name.prefix(200)).\(isRefused ? "refused" : "not-in-force").\(state)"
    }
}
