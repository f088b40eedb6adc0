// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import LinuxHost
import NetworkModel

/// From where people administer this host just now: clients of SSH sessions that have begun, and are connected.
///
/// A connection to port 22 is none: who guesses passwords has such ones. What sshd starts for somebody who is let in has
/// `SSH_CONNECTION` in its environment; any process may claim that, so that the connection must be there as well.
actor SessionWatch {
    private var known: Set<IPAddress> = []
    private var lookedAt: ContinuousClock.Instant?

    /// All processes are looked at, so that this is not done at every finding.
    private static let interval: Duration = .seconds(2)

    func clients() -> Set<IPAddress> {
        let now = ContinuousClock.now
        if let lookedAt, now - lookedAt < SessionWatch.interval { return known }
        lookedAt = now
        known = SessionWatch.clients(SessionWatch.claims(), (try? OpenConnection.all()) ?? [])
        return known
    }

    /// What processes say about the session that they belong to.
    private static func claims() -> Set<AdministrationSession> {
        let processes = ((try? directoryEntries("/proc")) ?? []).compactMap { Int32($0) }
        return Set(
            processes.compactMap { process in
                guard let bytes = try? readFile("/proc/\(process)/environ", bytesMax: 1 << 20) else { return nil }
                return claim(bytes)
            })
    }

    static func claim(_ environment: [UInt8]) -> AdministrationSession? {
        let name = Array("SSH_CONNECTION=".utf8)
        guard let variable = environment.split(separator: 0).first(where: { $0.starts(with: name) }) else { return nil }
        return AdministrationSession(sshConnection: String(decoding: variable.dropFirst(name.count), as: UTF8.self))
    }

    static func clients(_ claims: Set<AdministrationSession>, _ connections: [OpenConnection]) -> Set<IPAddress> {
        Set(
            claims.filter { claim in
                connections.contains { $0.isInbound && $0.remote == claim.client && $0.localPort == claim.port }
            }.map(\.client))
    }
}
