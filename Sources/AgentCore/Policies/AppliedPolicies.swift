// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxHost
import PolicyModel
import PolicyReading

/// Policies applied through the API: one file each in the state directory, and the revisions that led to them.
///
/// A revision is what makes a change hold; the files of the policies follow it, by the next start at the latest.
struct AppliedPolicies: Sendable {
    /// What is to become of one policy; nil: there is to be none.
    struct Edit: Sendable {
        var reference: PolicyReference
        var after: (entry: AppliedPolicy, policy: Policy)?
    }

    private let directory: String
    private(set) var history: PolicyHistory
    private(set) var entries: [PolicyReference: AppliedPolicy] = [:]
    /// By reference.
    private(set) var policies: [PolicyReference: Policy] = [:]
    /// Stored policies that could not be read, by path.
    private var fileProblems: [String: String] = [:]
    /// Policies whose file does not yet hold what is in force.
    private var unwritten: Set<PolicyReference> = []
    /// A change that is written down, until it is known whether it came into force.
    private var staged: (edits: [Edit], undo: PolicyRevision?)?

    /// Reads what an earlier agent kept; a file that cannot be read is a problem and stays where it is.
    init(
        directory: String, history: String, limits: PolicyHistory.Limits = .init(), reader: PolicyReader
    ) throws(AgentError) {
        self.directory = directory
        self.history = try PolicyHistory(directory: history, limits: limits)
        do throws(HostError) {
            try createDirectory(directory, mode: 0o700)
            var reading = AppliedPolicyReading(reader)
            for name in try directoryEntries(directory).sorted() {
                let path = "\(directory)/\(name)"
                if name.hasSuffix(AtomicFile.stagedSuffix) { unsafe unlink(path) }
                guard name.hasSuffix(".json") else { continue }
                do throws(AgentError) {
                    guard let entry = try StateStorage.read(AppliedPolicy.self, from: path) else { continue }
                    let kept = try reading.read(entry)
                    set(entry.reference, kept)
                    if kept.entry != entry { unwritten.insert(entry.reference) }
                } catch {
                    fileProblems[path] = error.description
                }
            }
        } catch {
            throw AgentError(error.description)
        }
        redo(reader)
    }

    /// Why something is not as it should be, by path.
    var problems: [String: String] { fileProblems.merging(history.problems) { first, _ in first } }

    /// Carries out the revisions that came into force without reaching the files of all their policies.
    private mutating func redo(_ reader: PolicyReader) {
        var reading = AppliedPolicyReading(reader)
        for number in history.pending.sorted() {
            do throws(AgentError) {
                for change in try history.changes(number) {
                    guard let reference = change.reference else { continue }
                    unwritten.insert(reference)
                    set(
                        reference,
                        try change.after.map { entry throws(AgentError) in try reading.read(entry) })
                }
            } catch {
                fileProblems["\(history.directory)/\(number)"] = error.description
            }
        }
        settle()
    }

    private mutating func set(_ reference: PolicyReference, _ value: (entry: AppliedPolicy, policy: Policy)?) {
        entries[reference] = value?.entry
        policies[reference] = value?.policy
    }
}

extension AppliedPolicies {
    /// The edits that change something.
    func effective(_ edits: [Edit]) -> [Edit] { edits.filter { entries[$0.reference] != $0.after?.entry } }

    /// What brings the policies of an earlier revision back.
    func edits(backTo target: Int, reader: PolicyReader) throws(AgentError) -> [Edit] {
        var edits: [Edit] = []
        var reading = AppliedPolicyReading(reader)
        for (reference, entry) in try history.undoing(to: target).sorted(by: { $0.key < $1.key }) {
            guard entries[reference] != entry else { continue }
            guard let entry else {
                edits.append(Edit(reference: reference))
                continue
            }
            let kept = try reading.read(entry)
            if entries[reference] != kept.entry { edits.append(Edit(reference: reference, after: kept)) }
        }
        return edits
    }

    /// Writes a change down without carrying it out; the whole of it, or nothing and an error.
    ///
    /// `undo`: what is to follow unless the change is confirmed.
    mutating func stage(_ revision: PolicyRevision, _ edits: [Edit], undo: PolicyRevision? = nil) throws(AgentError) {
        let changes = edits.map { PolicyRevision.Change(before: entries[$0.reference], after: $0.after?.entry) }
        try history.stage(revision, changes, undo: undo)
        staged = (edits, undo)
    }

    /// Puts what is staged in the place of what was kept.
    mutating func publishStaged() throws(AgentError) {
        guard let staged else { return }
        self.staged = nil
        try history.publish(undo: staged.undo)
        carryOut(staged.edits)
    }

    /// Removes what is staged.
    mutating func discardStaged() {
        if staged != nil { history.discardStaged() }
        staged = nil
    }

    /// What the prepared revision changes; call before `publishDue`.
    func dueEdits(_ reader: PolicyReader) throws(AgentError) -> [Edit] {
        var edits: [Edit] = []
        var reading = AppliedPolicyReading(reader)
        for change in try history.dueChanges() {
            guard let reference = change.reference else { continue }
            edits.append(
                Edit(
                    reference: reference,
                    after: try change.after.map { entry throws(AgentError) in try reading.read(entry) }))
        }
        return edits
    }

    /// Nobody confirmed: what was prepared for that takes its place among the revisions.
    mutating func publishDue(_ edits: [Edit], at time: String) throws(AgentError) {
        try history.publishDue(at: time)
        carryOut(edits)
    }

    mutating func confirm() throws(AgentError) { try history.confirm() }

    /// After a reboot: the clock that counts since boot began anew.
    mutating func rebaseDue(_ now: ConfirmationDeadline.Clocks) {
        // If the disk does not take it, the next agent works it out again.
        try? history.rebaseDue(now)
    }

    private mutating func carryOut(_ edits: [Edit]) {
        for edit in edits {
            set(edit.reference, edit.after)
            unwritten.insert(edit.reference)
        }
        settle()
    }

    /// Brings the files of the policies level with what is in force; what fails is a problem, and tried again.
    mutating func settle() {
        guard !unwritten.isEmpty || !history.pending.isEmpty else { return }
        for reference in unwritten.sorted() {
            do throws(AgentError) {
                try write(reference)
                fileProblems[path(reference)] = nil
                unwritten.remove(reference)
            } catch {
                fileProblems[path(reference)] = "\(error.description); the revision holds it, nothing is lost"
            }
        }
        AtomicFile.syncDirectory(of: "\(directory)/.")
        if unwritten.isEmpty { history.settle() }
    }

    private func write(_ reference: PolicyReference) throws(AgentError) {
        if let entry = entries[reference] {
            try StateStorage.write(entry, to: path(reference))
        } else {
            guard unsafe unlink(path(reference)) == 0 || errno == ENOENT else {
                throw AgentError("cannot remove \(path(reference)): \(errnoText(errno))")
            }
        }
    }

    /// Kinds, namespaces and names are DNS names, so none holds a slash or an underscore.
    private func path(_ reference: PolicyReference) -> String {
        "\(directory)/\(AppliedPolicies.fileName(of: reference))"
    }

    /// A name may be so long that it and its kind are no file name any more: then a number stands for the rest of it.
    ///
    /// The reader goes by what the file holds.
    static func fileName(of reference: PolicyReference) -> String {
        let (group, ending) = ("\(reference.kind)_\(reference.namespace)_", ".json")
        let whole = group + reference.name + ending
        guard whole.utf8.count + AtomicFile.stagedSuffix.utf8.count > Int(NAME_MAX) else { return whole }
        let number = String(fnv1a(reference.name), radix: 16)
        return "\(group)\(reference.name.prefix(100))_\(number)\(ending)"
    }
}
