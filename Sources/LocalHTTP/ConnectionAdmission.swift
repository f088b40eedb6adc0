// SPDX-License-Identifier: Apache-2.0

/// Decides who may connect, so that no user can keep others, and least of all root, from the server.
///
/// Pure: time and connections are given.
struct ConnectionAdmission<ID: Hashable> {
    private struct Entry {
        let userID: UInt32
        let isPrivileged: Bool
        /// When it connected, or was answered last.
        var waitingSince: ContinuousClock.Instant
        /// A complete request is being answered.
        var isAnswering = false
    }

    let limits: LocalHTTPServer.Limits
    private var entries: [ID: Entry] = [:]

    init(limits: LocalHTTPServer.Limits) { self.limits = limits }

    /// Lets a connection in, if need be in place of some that keep the server waiting.
    /// - Returns: whether it is in, and whose place it or others may take: to be closed.
    mutating func admit(
        _ id: ID, userID: UInt32, isPrivileged: Bool, at now: ContinuousClock.Instant
    ) -> (isAdmitted: Bool, evicted: [ID]) {
        let evicted = isPrivileged ? makePrivilegedRoom() : makeRoom(userID, now)
        for id in evicted { entries[id] = nil }
        guard isPrivileged ? entries.count < limits.connectionsMax : hasRoom(userID) else { return (false, evicted) }
        entries[id] = Entry(userID: userID, isPrivileged: isPrivileged, waitingSince: now)
        return (true, evicted)
    }

    /// Notes that a complete request came, or that its answer is out.
    mutating func setAnswering(_ isAnswering: Bool, _ id: ID, at now: ContinuousClock.Instant) {
        entries[id]?.isAnswering = isAnswering
        entries[id]?.waitingSince = now
    }

    mutating func remove(_ id: ID) { entries[id] = nil }

    private func hasRoom(_ userID: UInt32) -> Bool {
        let others = entries.values.filter { !$0.isPrivileged }
        return entries.count < limits.connectionsMax && others.count < limits.unprivilegedMax
            && others.count { $0.userID == userID } < limits.perUserMax
    }

    /// Unprivileged connections that wait, longest first.
    private var waiting: [(id: ID, entry: Entry)] {
        entries.filter { !$0.value.isPrivileged && !$0.value.isAnswering }.map { ($0.key, $0.value) }
            .sorted { $0.1.waitingSince < $1.1.waitingSince }
    }

    private func makePrivilegedRoom() -> [ID] {
        entries.count < limits.connectionsMax ? [] : waiting.prefix(1).map(\.id)
    }

    /// Who has waited too long for how many there are: of the same user if its own share is used up.
    private func makeRoom(_ userID: UInt32, _ now: ContinuousClock.Instant) -> [ID] {
        let others = entries.values.filter { !$0.isPrivileged }
        let isCrowded = others.count >= limits.unprivilegedMax * 3 / 4
        let isOwnShareUsed = others.count { $0.userID == userID } >= limits.perUserMax
        guard isCrowded || isOwnShareUsed else { return [] }
        return waiting.filter { _, entry in
            now - entry.waitingSince >= limits.crowdedTimeout && (isCrowded || entry.userID == userID)
        }.map(\.id)
    }
}
