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
    /// Reading the routes takes at most one part in so many of the time, however fast they change.
    private static let routeShare = 20

    /// What is to be looked at again.
    private enum Work: Hashable {
        case routes
        case links
    }

    /// The newest state of links and addresses; what was missed in between does not matter.
    private final class Latest: Sendable {
        let snapshot = Mutex(NetworkSnapshot())
    }

    /// Runs until cancelled.
    func run() async throws {
        let work = DirtySet<Work>()
        let latest = Latest()
        let links = try NetworkMonitor.updates()
        let routes = try RouteWatcher.changes()
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask {
                for await update in links {
                    latest.snapshot.withLock { $0.apply(update) }
                    work.insert([.links])
                }
                work.finish()
            }
            group.addTask {
                for await _ in routes { work.insert([.routes]) }
                work.finish()
            }
            try await follow(work, latest)
        }
    }

    private func follow(_ work: DirtySet<Work>, _ latest: Latest) async throws {
        var table = RouteTable(try RouteSession().routes())
        let clock = ContinuousClock()
        var routesAreDue = clock.now
        try await work.forEachRound { round in
            if round.contains(.routes) {
                try await clock.sleep(until: routesAreDue)
                let begin = clock.now
                table = RouteTable(try RouteSession().routes())
                routesAreDue = clock.now + (clock.now - begin) * Self.routeShare
            }
            let network = HostNetwork(latest.snapshot.withLock { $0 }, routes: table)
            // Nothing is known before the first snapshot.
            guard !network.snapshot.links.isEmpty else { return }
            await state.update(network: network)
            if configuration.isEnabled {
                let host = workload(network.snapshot, HostSource.addresses(network.snapshot))
                await state.update(
                    source: HostSource.name, workloads: [host], state: "watching",
                    location: host.interfaces.map(\.name).joined(separator: ","))
            }
            try await Task.sleep(for: Self.pause)
        }
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

    private func workload(_ snapshot: NetworkSnapshot, _ addresses: [IPAddress]) -> Workload {
        let devices = snapshot.links.filter { link in
            configuration.devices.isEmpty
                ? link.kind == nil && !link.isLoopback && link.isUp : configuration.devices.contains(link.name)
        }
        let labels = configuration.labels + [Label(source: LabelSource.reserved, key: "host")]
        var workload = Workload(
            key: "host", name: "host", source: HostSource.name, labels: LabelSet(labels), addresses: Set(addresses),
            interfaces: devices.map { .init(name: $0.name, index: UInt32($0.index)) }, options: [.host])
        let missing = configuration.devices.filter { name in !devices.contains { $0.name == name } }
        if !missing.isEmpty { workload.details["missing"] = missing.joined(separator: ", ") }
        if devices.isEmpty {
            workload.problem = "no device of this host is judged: name them in `hostEndpoint.devices`"
        }
        return workload
    }
}
