// SPDX-License-Identifier: Apache-2.0

import LinuxHost

/// Who belongs to the group that may change things through the API, from the account files.
///
/// Read anew at each question, so that a user added to the group need not restart the agent. Accounts that live only in
/// a directory service count by their primary group (which the kernel reports), not by supplementary ones.
struct GroupMembership: Sendable {
    /// Name or number.
    let group: String
    var groupFile = "/etc/group"
    var passwordFile = "/etc/passwd"

    /// True if the user or its primary group belongs.
    func includes(userID: UInt32, groupID: UInt32) -> Bool {
        guard let entry = groupEntry() else { return group == String(groupID) }
        if entry.id == groupID { return true }
        guard let name = userName(userID) else { return false }
        return entry.members.contains(name)
    }

    /// The group's number; nil if there is no such group.
    var groupID: UInt32? { groupEntry()?.id ?? UInt32(group) }

    private func groupEntry() -> (id: UInt32, members: [Substring])? {
        for fields in records(groupFile) where fields.count >= 4 {
            guard fields[0] == group || fields[2] == group, let id = UInt32(fields[2]) else { continue }
            return (id, fields[3].split(separator: ","))
        }
        return nil
    }

    private func userName(_ id: UInt32) -> Substring? { UserNames(file: passwordFile).name(of: id) }
}

/// Names of users, from the account file.
struct UserNames: Sendable {
    var file = "/etc/passwd"

    func name(of id: UInt32) -> Substring? {
        records(file).first { $0.count >= 3 && $0[2] == String(id) }?[0]
    }

    /// For people: the name, else the number; `agent` for the agent itself.
    func text(of id: UInt32?) -> String {
        guard let id else { return "agent" }
        return name(of: id).map(String.init) ?? String(id)
    }
}

private func records(_ path: String) -> [[Substring]] {
    let text = (try? readTextFile(path)) ?? ""
    return text.split(separator: "\n").map { $0.split(separator: ":", omittingEmptySubsequences: false) }
}
