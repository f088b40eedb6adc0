// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import LinuxHost
import PolicyModel

/// Policies that are out of force from a moment on (`bulkhead.dev/validUntil`).
///
/// The wall clock decides, as their author meant; one that is set back brings a policy back.
extension AgentState {
    /// What becomes of a policy now; nil: its time is over.
    func lasting(_ policy: Policy?) -> Policy? {
        guard let policy, let end = policy.validUntil, end <= now else { return policy }
        return nil
    }

    /// Notes the ends of what is desired.
    func noteTimes(_ references: some Sequence<PolicyReference>) {
        for reference in references { timed[reference] = kept(reference)?.validUntil }
    }

    /// Brings into force, or takes out, what the time says.
    func followTime() {
        let due = timed.filter { reference, end in (end <= now) == (engine.input.policies[reference] != nil) }
        guard !due.isEmpty, isAdopted else { return }
        unsettled.policies.formUnion(due.keys)
        reconcile()
    }

    /// Policies with an end, the next one first.
    func timedPolicyReports() -> [TimedPolicyReport] {
        timed.sorted { ($0.value, $0.key) < ($1.value, $1.key) }.map { reference, end in
            TimedPolicyReport(
                policy: reference.text, validUntil: Timestamp.text(seconds: end),
                inForce: engine.input.policies[reference] != nil)
        }
    }

    /// Policies that are kept, but out of force because their time is over.
    var lapsed: [Policy] {
        timed.keys.filter { engine.input.policies[$0] == nil }.compactMap(kept)
    }

    /// What is written under a name, also if its time is over: a file of this host wins over what was applied here, and
    /// that over what the cluster says.
    func kept(_ reference: PolicyReference) -> Policy? {
        directory[reference] ?? applied.policies[reference] ?? cluster?[reference]
    }

    private var now: Int64 { Timestamp.secondsNow() }
}
