// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import KernelDatapath
import LinuxHost
import Logging
import PolicyCompiler
import PolicyModel

extension AgentState {
    /// Changes the applied policies as one transaction and one revision, or says what that would change.
    ///
    /// What the disk does not take does not come into force.
    /// - Parameter target: the revision that is brought back, of a rollback.
    func transact(
        _ edits: [AppliedPolicies.Edit], _ action: RevisionRecord.Action, _ options: ChangeOptions,
        target: Int? = nil, diagnostics: [DiagnosticRecord] = []
    ) throws(APIError) -> PolicyChangeReport {
        guard !options.isDryRun else { return try change(edits, options, diagnostics) }
        let effective = applied.effective(edits)
        // Nothing differs: no revision, unless a rollback ends the wait for a confirmation.
        guard !effective.isEmpty || (action == .rollback && confirmation != nil) else {
            return try change(edits, options, diagnostics)
        }
        try checkConfirmation(action, options)
        let revision = revision(effective, action, options, target)
        let undo = options.confirmWithin.map { self.undo(of: revision, within: $0) }
        do throws(AgentError) {
            try applied.stage(revision, effective, undo: undo)
        } catch {
            throw APIError(.commitFailed, "\(error.description); the old state stays in force")
        }
        var report: PolicyChangeReport
        do throws(APIError) {
            report = try change(edits, options, diagnostics)
        } catch {
            applied.discardStaged()
            throw error
        }
        do throws(AgentError) {
            try applied.publishStaged()
        } catch {
            throw APIError(
                .commitFailed, "in force, but not kept over a restart: \(error.description); apply it again then")
        }
        noteTimes(edits.map(\.reference))
        note(revision)
        report.revision = revision.number
        report.confirmation = confirmation
        return report
    }

    /// Adds what edits mean to a change: a file of the directory wins over an applied policy of the same name.
    func add(_ edits: [AppliedPolicies.Edit], to delta: inout PolicyDelta) {
        for edit in edits {
            let wanted = directory[edit.reference] ?? edit.after?.policy ?? cluster?[edit.reference]
            delta[edit.reference] = lasting(wanted) ?? builtInPolicies[edit.reference]
        }
    }

    /// Throws if files of the directory define policies that are to be applied.
    func checkDirectory(_ references: [PolicyReference]) throws(APIError) {
        for reference in references {
            guard let file = directory[reference] else { continue }
            throw APIError(
                .refused,
                "\(reference.text) is defined in \(file.source.text): change that file, or remove it first")
        }
    }

    /// Throws if documents about this host would be carried out otherwise than they say.
    func checkHostDocuments(_ delta: PolicyDelta) throws(APIError) {
        guard let unsuitable = unsuitableHostDocuments(delta).first else { return }
        throw APIError(.refused, unsuitable.reason)
    }

    func note(_ revision: PolicyRevision) {
        logger.notice(
            "revision",
            metadata: [
                "number": "\(revision.number)", "action": "\(revision.action.rawValue)",
                "user": "\(revision.userID.map(String.init) ?? "agent")",
                "policies": "+\(revision.added.count) ~\(revision.changed.count) -\(revision.removed.count)",
            ])
    }

    /// One change at a time waits for its confirmation; only taking it back may come in between.
    private func checkConfirmation(_ action: RevisionRecord.Action, _ options: ChangeOptions) throws(APIError) {
        guard let waiting = confirmation else { return }
        if action == .rollback && options.confirmWithin == nil { return }
        throw APIError(
            .refused,
            "revision \(waiting.revision) waits to be confirmed until \(waiting.deadline): first "
                + "`bulkhead policy confirm \(waiting.revision)` or `bulkhead policy rollback \(waiting.rollbackTo)`")
    }

    private func revision(
        _ edits: [AppliedPolicies.Edit], _ action: RevisionRecord.Action, _ options: ChangeOptions, _ target: Int?
    ) -> PolicyRevision {
        var revision = PolicyRevision(
            number: applied.history.next, at: Timestamp.now(), userID: options.userID, action: action, target: target)
        for edit in edits {
            switch (applied.entries[edit.reference], edit.after) {
            case (nil, _): revision.added.append(edit.reference.text)
            case (_, nil): revision.removed.append(edit.reference.text)
            // One that only stands elsewhere in its file is kept with its new place, and not named.
            case (let old?, let new?):
                if old.document != new.entry.document { revision.changed.append(edit.reference.text) }
            }
        }
        return revision
    }

    private func undo(of revision: PolicyRevision, within time: Duration) -> PolicyRevision {
        PolicyRevision(
            number: revision.number + 1, at: Timestamp.now(), userID: nil, action: .unconfirmed,
            target: revision.number - 1, added: revision.removed, changed: revision.changed, removed: revision.added,
            deadline: ConfirmationDeadline(in: time, .now()), isLockoutForced: isLockoutForced)
    }

    /// Who is connected over SSH and stays so has seen to the way in: it need not be open to everybody.
    private func isKept(_ session: AdministrationSession?, _ delta: PolicyDelta) -> Bool {
        guard let session, session.port == 22, lockoutGuard.concernsHosts(delta) else { return false }
        var policies = engine.input.policies
        policies.apply(delta)
        return lockoutGuard.lockout(policies, session: session) == nil
    }

    /// Brings edits into force as one transaction, or says what that would change.
    private func change(
        _ edits: [AppliedPolicies.Edit], _ options: ChangeOptions, _ diagnostics: [DiagnosticRecord]
    ) throws(APIError) -> PolicyChangeReport {
        var change = desiredChange()
        add(edits, to: &change.policies)
        return try self.change(change, options, diagnostics)
    }

    /// Brings a change into force, or says what it would change.
    func change(
        _ change: EngineChange, _ options: ChangeOptions, _ diagnostics: [DiagnosticRecord]
    ) throws(APIError) -> PolicyChangeReport {
        var report = PolicyChangeReport(
            inForce: !options.isDryRun, generation: datapath.status().generation, diagnostics: diagnostics)
        name(change.policies, in: &report)
        try checkHostDocuments(change.policies)
        do {
            if !options.isForced { try lockoutGuard.check(change.policies, session: options.session) }
        } catch {
            throw APIError(.refused, "\(error)")
        }
        do {
            let old = engine.completeState()
            let changes: MapChanges
            if options.isDryRun {
                changes = old.changes(to: try engine.compileAside(change).state)
            } else {
                try bringIntoForce(change, isForced: options.isForced || isKept(options.session, change.policies))
                changes = old.changes(to: engine.completeState())
            }
            report.entriesChanged = changes.policySettings.count { setting in old.policy[setting.key] != nil }
            report.entriesAdded = changes.policySettings.count - report.entriesChanged
            report.entriesRemoved = changes.policyRemovals.count
        } catch {
            commits.refused += 1
            throw APIError(.commitFailed, "\(error); the old state stays in force")
        }
        report.generation = datapath.status().generation
        return report
    }

    /// Says which policies a change adds and removes, and which say something else by it.
    func name(_ delta: PolicyDelta, in report: inout PolicyChangeReport) {
        for reference in delta.references.sorted(by: { $0.text < $1.text }) {
            switch (engine.input.policies[reference], delta[reference]) {
            case (nil, .some): report.added.append(reference.text)
            case (.some, nil): report.removed.append(reference.text)
            case (let old?, let new?): if !new.saysTheSame(as: old) { report.changed.append(reference.text) }
            case (nil, nil): break
            }
        }
    }
}
