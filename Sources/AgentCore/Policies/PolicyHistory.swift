// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxHost
import PolicyModel

/// The revisions of the applied policies, one file each in a directory of their own.
///
/// The file is what makes a change hold: it is written and synced before the change comes into force, and renamed after
/// it did. `N.json.new` may still be refused; `N.pending.json` is in force, but the files of the single policies may lag
/// behind; `N.json` is settled; `N.due.json` is prepared, and comes into force if nobody confirms the one before it.
struct PolicyHistory: Sendable {
    /// How much is kept; the newest revision is kept in any case.
    struct Limits: Hashable, Sendable {
        var revisions = 100
        var bytes = 32 << 20
    }

    private static let fileBytesMax = 256 << 20

    let directory: String
    let limits: Limits
    /// Sizes of the revisions that are kept, by number.
    private(set) var sizes: [Int: Int] = [:]
    /// Revisions whose policies may not all be in their files.
    private(set) var pending: Set<Int> = []
    /// What comes into force unless the newest revision is confirmed.
    private(set) var due: PolicyRevision?
    /// Files that could not be read, by path.
    private(set) var problems: [String: String] = [:]

    /// Finds what an earlier agent kept; takes away what it did not finish.
    init(directory: String, limits: Limits) throws(AgentError) {
        self.directory = directory
        self.limits = limits
        do throws(HostError) {
            try createDirectory(directory, mode: 0o700)
            for name in try directoryEntries(directory) { note(name) }
        } catch {
            throw AgentError(error.description)
        }
        try findDue()
    }

    private mutating func note(_ name: String) {
        let path = "\(directory)/\(name)"
        guard !name.hasSuffix(AtomicFile.stagedSuffix) else {
            unsafe unlink(path)
            return
        }
        let parts = name.split(separator: ".")
        guard let number = parts.first.flatMap({ Int($0) }), number > 0, parts.last == "json" else { return }
        var status = stat()
        guard parts.count == 2 || parts.dropFirst().first == "pending", unsafe lstat(path, &status) == 0 else { return }
        sizes[number] = Int(status.st_size)
        if parts.count == 3 { pending.insert(number) }
    }

    /// A prepared revision stands for the one right behind the newest; any other was left by a kill.
    private mutating func findDue() throws(AgentError) {
        let names: [String]
        do throws(HostError) { names = try directoryEntries(directory) } catch { throw AgentError(error.description) }
        for name in names where name.hasSuffix(".due.json") {
            guard name == "\(next).due.json", next > 1 else {
                unsafe unlink("\(directory)/\(name)")
                continue
            }
            do throws(AgentError) {
                due = try decode(duePath(next)).revision
            } catch {
                problems["\(directory)/\(name)"] =
                    error.description + "; revision \(newest) stays in force without a confirmation"
            }
        }
    }

    /// The number of the newest revision; 0: none yet.
    var newest: Int { sizes.keys.max() ?? 0 }

    var next: Int { newest + 1 }

    /// The oldest revision that can be brought back: the one before the oldest that is kept.
    var oldestReachable: Int {
        var oldest = newest
        while sizes[oldest] != nil { oldest -= 1 }
        return oldest
    }

    /// A revision without its policies.
    func revision(_ number: Int) throws(AgentError) -> PolicyRevision { try decode(path(number)).revision }

    /// What a revision did.
    func changes(_ number: Int) throws(AgentError) -> [PolicyRevision.Change] { try decode(path(number)).changes() }

    /// What the policies must become to be again what they were under a revision; nil: none.
    func undoing(to target: Int) throws(AgentError) -> [PolicyReference: AppliedPolicy?] {
        var before: [PolicyReference: AppliedPolicy?] = [:]
        for number in stride(from: newest, to: target, by: -1) {
            for change in try changes(number) {
                if let reference = change.reference { before[reference] = .some(change.before) }
            }
        }
        return before
    }

    private func decode(_ path: String) throws(AgentError) -> (
        revision: PolicyRevision, changes: () throws(AgentError) -> [PolicyRevision.Change]
    ) {
        let bytes: [UInt8]
        do throws(HostError) {
            bytes = try readFile(path, bytesMax: PolicyHistory.fileBytesMax)
        } catch {
            throw AgentError(error.description)
        }
        return try PolicyRevision.decode(bytes, path: path)
    }

    private func path(_ number: Int) -> String {
        "\(directory)/\(number)\(pending.contains(number) ? ".pending" : "").json"
    }

    private func duePath(_ number: Int) -> String { "\(directory)/\(number).due.json" }

    private func pendingPath(_ number: Int) -> String { "\(directory)/\(number).pending.json" }
}

extension PolicyHistory {
    /// Writes the next revision down, to be published once it is in force.
    ///
    /// `undo`: what is to follow unless the revision is confirmed.
    func stage(
        _ revision: PolicyRevision, _ changes: [PolicyRevision.Change], undo: PolicyRevision? = nil
    ) throws(AgentError) {
        do throws(AgentError) {
            try stage(try revision.encoded(changes), for: pendingPath(revision.number))
            guard let undo else { return }
            let reversed = changes.map { PolicyRevision.Change(before: $0.after, after: $0.before) }
            try stage(try undo.encoded(reversed), for: duePath(undo.number))
        } catch {
            discardStaged()
            throw error
        }
    }

    private func stage(_ bytes: [UInt8], for path: String) throws(AgentError) {
        do throws(HostError) { try AtomicFile.stage(bytes, for: path) } catch { throw AgentError(error.description) }
    }

    func discardStaged() {
        AtomicFile.discard(pendingPath(next))
        AtomicFile.discard(duePath(next + 1))
    }

    /// Makes the staged revision hold over restarts; that takes no space on disk.
    mutating func publish(undo: PolicyRevision? = nil) throws(AgentError) {
        let number = next
        do throws(HostError) {
            // First what undoes it: a kill in between leaves an undo of nothing, which the next start takes away.
            if let undo { try AtomicFile.publish(duePath(undo.number)) }
            try AtomicFile.publish(pendingPath(number))
        } catch {
            discardStaged()
            unsafe unlink(duePath(number + 1))
            throw AgentError(error.description)
        }
        adopt(number)
        due = undo
    }

    /// Makes the prepared revision one that is in force.
    mutating func publishDue(at time: String) throws(AgentError) {
        guard var revision = due else { return }
        revision.at = time
        revision.deadline = nil
        let bytes = try revision.encoded(try decode(duePath(revision.number)).changes())
        // A full disk does not keep anything in force: the time then is the one it was prepared at.
        try? AtomicFile.write(bytes, to: duePath(revision.number))
        guard unsafe rename(duePath(revision.number), pendingPath(revision.number)) == 0 else {
            throw AgentError("cannot rename \(duePath(revision.number)): \(errnoText(errno))")
        }
        AtomicFile.syncDirectory(of: pendingPath(revision.number))
        due = nil
        adopt(revision.number)
    }

    /// What the prepared revision does.
    func dueChanges() throws(AgentError) -> [PolicyRevision.Change] {
        guard let due else { return [] }
        return try decode(duePath(due.number)).changes()
    }

    /// The newest revision stays: what was prepared to undo it goes.
    mutating func confirm() throws(AgentError) {
        guard let due else { return }
        guard unsafe unlink(duePath(due.number)) == 0 || errno == ENOENT else {
            throw AgentError("cannot remove \(duePath(due.number)): \(errnoText(errno))")
        }
        AtomicFile.syncDirectory(of: duePath(due.number))
        self.due = nil
    }

    /// After a reboot: the clock that counts since boot began anew.
    mutating func rebaseDue(_ now: ConfirmationDeadline.Clocks) throws(AgentError) {
        guard var revision = due, let deadline = revision.deadline, deadline.bootID != now.bootID else { return }
        revision.deadline = deadline.rebased(now)
        due = revision
        let bytes = try revision.encoded(try dueChanges())
        do throws(HostError) {
            try AtomicFile.write(bytes, to: duePath(revision.number))
        } catch {
            throw AgentError("\(error)")
        }
    }

    /// The policies of the pending revisions are in their files.
    mutating func settle() {
        for number in pending { unsafe rename(pendingPath(number), "\(directory)/\(number).json") }
        pending = []
        prune()
    }

    private mutating func adopt(_ number: Int) {
        // Prepared for a revision that was not the last one.
        if unsafe unlink(duePath(number)) == 0 { AtomicFile.syncDirectory(of: duePath(number)) }
        var status = stat()
        sizes[number] = unsafe lstat(pendingPath(number), &status) == 0 ? Int(status.st_size) : 0
        pending.insert(number)
    }

    /// Takes the oldest away until the rest is within the limits.
    private mutating func prune() {
        var bytes = sizes.values.reduce(0, +)
        for number in sizes.keys.sorted() where sizes.count > limits.revisions || bytes > limits.bytes {
            guard number != newest, !pending.contains(number) else { return }
            guard unsafe unlink(path(number)) == 0 || errno == ENOENT else { return }
            bytes -= sizes.removeValue(forKey: number) ?? 0
        }
    }
}
