// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import LinuxHost
import Logging
import PolicyModel

extension AgentState {
    func history(limit: Int) async throws(APIError) -> HistoryReport {
        let history = applied.history
        var revisions: [RevisionRecord] = []
        do throws(AgentError) {
            for number in history.sizes.keys.sorted(by: >).prefix(limit) {
                revisions.append(RevisionRecord(try history.revision(number)))
            }
        } catch {
            throw APIError(.commitFailed, error.description)
        }
        return HistoryReport(
            revisions: revisions, kept: history.sizes.count, oldestReachable: history.oldestReachable,
            confirmation: confirmation)
    }

    func revision(_ number: Int) async throws(APIError) -> RevisionDetail {
        let history = applied.history
        guard history.sizes[number] != nil else {
            throw APIError(.notFound, "no revision \(number): `bulkhead policy history` lists those that are kept")
        }
        do throws(AgentError) {
            // Not those that only stand elsewhere in their files.
            let changes = try history.changes(number).filter { $0.before?.document != $0.after?.document }.map {
                change in
                RevisionDetail.Change(
                    policy: change.reference?.text ?? "", before: change.before?.document,
                    after: change.after?.document)
            }
            return RevisionDetail(revision: RevisionRecord(try history.revision(number)), changes: changes)
        } catch {
            throw APIError(.commitFailed, error.description)
        }
    }

    func rollBack(to number: Int, options: ChangeOptions) async throws(APIError) -> PolicyChangeReport {
        let edits = try edits(backTo: number)
        try checkDirectory(edits.filter { $0.after != nil }.map(\.reference))
        return try transact(edits, .rollback, options, target: number)
    }

    /// What brings the applied policies of a revision back; throws if it is not there any more.
    func edits(backTo number: Int) throws(APIError) -> [AppliedPolicies.Edit] {
        let history = applied.history
        guard history.newest > 0 else { throw APIError(.notFound, "no policy was ever applied: nothing to bring back") }
        guard number != history.newest else {
            throw APIError(.badRequest, "revision \(number) is the newest one: it is in force")
        }
        guard (history.oldestReachable..<history.newest).contains(number) else {
            throw APIError(
                .notFound,
                "revision \(number) cannot be brought back: \(history.oldestReachable) to "
                    + "\(history.newest - 1) can")
        }
        do throws(AgentError) {
            return try applied.edits(backTo: number, reader: reader)
        } catch {
            throw APIError(.refused, "revision \(number) cannot be brought back: \(error.description)")
        }
    }

    func confirm(_ number: Int?) async throws(APIError) -> RevisionRecord {
        guard let waiting = confirmation else {
            throw APIError(
                .notFound,
                "no revision waits to be confirmed: it was confirmed, or taken back; see `bulkhead policy history`")
        }
        guard number == nil || number == waiting.revision else {
            throw APIError(.refused, "it is revision \(waiting.revision) that waits to be confirmed")
        }
        guard waiting.secondsLeft > 0 else {
            throw APIError(.refused, "revision \(waiting.revision) is being taken back: its time is over")
        }
        do throws(AgentError) {
            let revision = try applied.history.revision(waiting.revision)
            try applied.confirm()
            logger.notice("confirmed", metadata: ["revision": "\(waiting.revision)"])
            return RevisionRecord(revision)
        } catch {
            throw APIError(.commitFailed, "not confirmed: \(error.description)")
        }
    }

    /// The revision that waits to be confirmed.
    var confirmation: ConfirmationReport? {
        guard let due = applied.history.due else { return nil }
        let now = ConfirmationDeadline.Clocks.now()
        return ConfirmationReport(
            revision: due.number - 1, rollbackTo: due.target ?? due.number - 2,
            deadline: due.deadline?.text(now) ?? due.at,
            secondsLeft: Double(due.deadline?.remaining(now) ?? 0) / 1e9)
    }

    /// Takes the newest revision back if its time to be confirmed is over; what fails is tried again.
    ///
    /// Before the first commit of a start it never comes into force: only what is kept changes then.
    func rollBackUnconfirmed() {
        guard let due = applied.history.due, confirmation?.secondsLeft == 0 else { return }
        do {
            let edits = try applied.dueEdits(reader)
            let isForced = due.isLockoutForced ?? false
            // What was forced with the revision is not forced without it.
            if !isForced { isLockoutForced = false }
            if isAdopted {
                // Nothing else, so that nothing else can be in the way.
                var change = EngineChange()
                add(edits, to: &change.policies)
                try bringIntoForce(change, isForced: isForced)
                try persist(nil, workloads: engine.input.workloads)
            } else if isForced {
                isLockoutForced = true
            }
            try applied.publishDue(edits, at: Timestamp.now())
            noteTimes(edits.map(\.reference))
            note(due)
            clearProblem("confirmation")
        } catch {
            report("confirmation", "revision \(due.number - 1) was not confirmed, but is still kept: \(error)")
        }
    }
}
