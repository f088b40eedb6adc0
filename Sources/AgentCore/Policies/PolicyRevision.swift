// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import PolicyModel

/// One change of the applied policies: who, when, what, and what it takes to undo it.
struct PolicyRevision: Codable, Hashable, Sendable {
    /// What became of one policy; nil: there was none, or there is none any more.
    struct Change: Codable, Hashable, Sendable {
        var before: AppliedPolicy?
        var after: AppliedPolicy?

        var reference: PolicyReference? { (after ?? before)?.reference }
    }

    /// From 1, without gaps.
    var number: Int
    /// RFC 3339.
    var at: String
    /// Whose process asked for it; nil: the agent did it by itself.
    var userID: UInt32?
    var action: RevisionRecord.Action
    /// The revision whose policies this one brought back.
    var target: Int?
    var added: [String] = []
    var changed: [String] = []
    var removed: [String] = []
    /// Of a revision that is prepared: when it comes into force by itself.
    var deadline: ConfirmationDeadline?
    /// Of a revision that is prepared: whether the policies it brings back had been forced to close the host's SSH.
    var isLockoutForced: Bool?

    /// A line for the revision and one for each change: the list of revisions needs the first lines alone.
    func encoded(_ changes: [Change]) throws(AgentError) -> [UInt8] {
        do {
            var bytes = try APICoding.encode(self)
            bytes.append(UInt8(ascii: "\n"))
            for change in changes {
                bytes += try APICoding.encode(change)
                bytes.append(UInt8(ascii: "\n"))
            }
            return bytes
        } catch {
            throw AgentError("revision \(number) cannot be encoded: \(error)")
        }
    }

    /// Reads what `encoded` made; `changes` are read on demand.
    static func decode(_ bytes: [UInt8], path: String) throws(AgentError) -> (
        revision: PolicyRevision, changes: () throws(AgentError) -> [Change]
    ) {
        let lines = bytes.split(separator: UInt8(ascii: "\n"))
        guard let head = lines.first, let revision = try? APICoding.decode(PolicyRevision.self, from: Array(head))
        else {
            throw damaged(path)
        }
        return (
            revision,
            { () throws(AgentError) in
                var changes: [Change] = []
                for line in lines.dropFirst() {
                    guard let change = try? APICoding.decode(Change.self, from: Array(line)) else {
                        throw damaged(path)
                    }
                    changes.append(change)
                }
                return changes
            }
        )
    }

    private static func damaged(_ path: String) -> AgentError {
        AgentError(
            "cannot read \(path): it is damaged or of another version; what lies before it cannot be brought back")
    }
}

extension RevisionRecord {
    /// A revision as the API shows it.
    init(_ revision: PolicyRevision) {
        self.init(
            number: revision.number, at: revision.at, userID: revision.userID, action: revision.action,
            target: revision.target, added: revision.added, changed: revision.changed, removed: revision.removed)
    }
}
