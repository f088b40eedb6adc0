// SPDX-License-Identifier: Apache-2.0

import KernelDatapath
import LinuxHost
import NetworkModel
import PolicyCompiler

extension AgentState {
    /// Before a commit: if it closes a direction of the host that was open, what is connected that way stays connected.
    ///
    /// A default deny is for what comes; who turns it on sits in a connection of the host, as a rule. What a deny rule
    /// names is cut all the same.
    func keepConnections(before changes: MapChanges) {
        guard configuration.hostEndpoint.isEnabled, !changes.subjectSettings.isEmpty else { return }
        let hosts = engine.preparedHostSubjects
        // What an earlier agent's programs judge is not switched on now.
        let isAdopting = closedHosts == nil && datapath.endpoints().contains { $0.options.contains(.host) }
        var closed = (closedHosts ?? [:]).filter { hosts.contains($0.key) }
        var news: Set<Direction> = []
        for (slot, subject) in changes.subjectSettings where hosts.contains(slot) {
            let directions = Set(Direction.allCases.filter { subject.defaultDeny[Int($0.rawValue)] })
            // A service that comes under a policy in force has nothing to keep.
            let before = closed[slot] ?? (closedHosts == nil ? [] : directions)
            news.formUnion(directions.subtracting(before))
            closed[slot] = directions
        }
        closedHosts = closed
        guard !news.isEmpty, !isAdopting else { return }
        do {
            try datapath.keep(try openConnections { news.contains($0.isInbound ? .ingress : .egress) })
            areConnectionsKept = true
            clearProblem("open connections")
        } catch {
            report("open connections", "\(error)")
        }
    }

    /// Forgets connections that are over: their addresses and ports may be another one's next time.
    func forgetClosedConnections() {
        guard areConnectionsKept else { return }
        do {
            areConnectionsKept = try datapath.keepOnly(try openConnections { _ in true }) > 0
        } catch {
            report("open connections", "\(error)")
        }
    }

    private func openConnections(where isMeant: (OpenConnection) -> Bool) throws(HostError) -> Set<HostConnection> {
        Set(
            try OpenConnection.all().filter(isMeant).map { connection in
                HostConnection(
                    local: connection.local, localPort: connection.localPort, remote: connection.remote,
                    remotePort: connection.remotePort)
            })
    }
}
