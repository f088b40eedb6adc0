// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import KernelDatapath
import LinuxHost
import NetworkModel
import Synchronization

/// Follows the host's own addresses and, if the host is an endpoint, its devices.
struct HostSource: Sendable {
    static let name = "host"

    let configuration: AgentConfiguration.HostEndpoint
    let state: AgentState

    /// Changes come in bursts: what comes within this time after a round is handled together.
    private static let pause: Duration = .milliseconds(20)
    /// Reading the routes takes at most one part in so many of a CPU, however fast they change.
    private static let routeShare = 20

    /// The newest state of links, addresses and routes; what was missed in between does not matter.
    private final class Latest: Sendable {
        let snapshot = Mutex(NetworkSnapshot())
        let routes: Mutex<RouteTable>

        init(_ routes: RouteTable) { self.routes = Mutex(routes) }

        /// Nil before the first snapshot.
        var network: HostNetwork? {
            let snapshot = snapshot.withLock { $0 }
            return snapshot.links.isEmpty ? nil : HostNetwork(snapshot, routes: routes.withLock { $0 })
        }
    }

    private enum Change: Hashable {
        case links
        case routes
    }

    /// Runs until cancelled.
    func run() async throws {
        let changes = DirtySet<Change>()
        let linkUpdates = try NetworkMonitor.updates()
        let routeChanges = try RouteWatcher.changes()
        let latest = Latest(RouteTable(try RouteSession().routes()))
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask {
                for await update in linkUpdates {
                    latest.snapshot.withLock { $0.apply(update) }
                    changes.insert([.links])
                }
                changes.finish()
            }
            group.addTask {
                for await _ in routeChanges {
                    let pause = try Self.readRoutes(latest)
                    changes.insert([.routes])
                    try await Task.sleep(for: pause)
                }
                changes.finish()
            }
            try await changes.forEachRound { _ in
                guard let network = latest.network else { return }
                await report(network)
                try await Task.sleep(for: Self.pause)
            }
        }
    }

    /// Returns how long not to read them again.
    ///
    /// CPU time counts, not the time spent waiting for whoever holds the kernel's lock.
    private static func readRoutes(_ latest: Latest) throws(HostError) -> Duration {
        let begin = HostClock.threadNanoseconds()
        let table = RouteTable(try RouteSession().routes())
        latest.routes.withLock { $0 = table }
        return .nanoseconds(HostClock.threadNanoseconds() - begin) * routeShare
    }

    private func report(_ network: HostNetwork) async {
        await state.update(network: network)
        guard configuration.isEnabled else { return }
        let host = workload(network.snapshot)
        await state.update(
            source: HostSource.name, workloads: [host], state: "watching",
            location: host.interfaces.map(\.name).joined(separator: ","))
    }

    /// The host's network as it is now.
    static func network() throws(HostError) -> HostNetwork {
        let session = try RouteSession()
        return HostNetwork(try session.snapshot(), routes: RouteTable(try session.routes()))
    }

    /// The addresses by which others know the host.
    static func addresses(_ snapshot: NetworkSnapshot) -> [IPAddress] {
        let loopbacks = Set(snapshot.links.filter(\.isLoopback).map(\.index))
        return snapshot.addresses.filter { !loopbacks.contains($0.linkIndex) }.map(\.address)
    }

    /// The host as it is now.
    func workload(_ snapshot: NetworkSnapshot) -> Workload {
        let devices = snapshot.links.filter { link in
            configuration.devices.isEmpty
                ? link.kind == nil && !link.isLoopback && link.isUp : configuration.devices.contains(link.name)
        }
        let labels = configuration.labels + [Label(source: LabelSource.reserved, key: "host")]
        var workload = Workload(
            key: "host", name: "host", source: HostSource.name, labels: LabelSet(labels),
            addresses: Set(HostSource.addresses(snapshot)),
            interfaces: devices.map { .init(name: $0.name, index: UInt32($0.index)) }, options: [.host])
        let missing = configuration.devices.filter { name in !devices.contains { $0.name == name } }
        if !missing.isEmpty { workload.details["missing"] = missing.joined(separator: ", ") }
        if devices.isEmpty {
            workload.problem = "no device of this host is judged: name them in `hostEndpoint.devices`"
        }
        return workload
    }
}
