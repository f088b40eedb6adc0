// SPDX-License-Identifier: Apache-2.0

import LocalHTTP
import NetworkModel
import Synchronization

/// The libpod API of podman 4 and later.
///
/// Its list tells everything but addresses: for these a container is inspected, once for each of its events.
final class PodmanAPI: EngineAPI {
    let name = "podman"

    private static let root = "/v4.0.0/libpod"
    /// Containers inspected at the same time.
    private static let inspectionsMax = 8

    /// By container.
    private let addresses = Mutex<[String: [IPAddress]]>([:])

    var eventsTarget: String {
        "\(Self.root)/events?stream=true&filters=" + queryEncoded(#"{"type":["container","network","pod"]}"#)
    }

    func runningContainers(_ client: LocalHTTPClient) async throws -> [ContainerRecord] {
        let entries: [ListEntry] = try await get("\(Self.root)/containers/json", client) ?? []
        let pods: [PodEntry] =
            entries.contains { !($0.Pod ?? "").isEmpty } ? try await get("\(Self.root)/pods/json", client) ?? [] : []
        let known = addresses.withLock { $0 }
        let running = Set(entries.map(\.Id))
        addresses.withLock { $0 = known.filter { running.contains($0.key) } }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, id) in running.filter({ known[$0] == nil }).enumerated() {
                if index >= Self.inspectionsMax { try await group.next() }
                group.addTask { try await self.inspect(id, client) }
            }
            try await group.waitForAll()
        }
        return entries.compactMap { record($0, pods: pods) }
    }

    /// Asks which addresses a container was given; what is gone meanwhile has none.
    private func inspect(_ id: String, _ client: LocalHTTPClient) async throws {
        let details: Details? = try await get("\(Self.root)/containers/\(id)/json", client)
        let found = details?.NetworkSettings?.addresses ?? []
        addresses.withLock { $0[id] = found }
    }

    func container(_ id: String, _ client: LocalHTTPClient) async throws -> ContainerRecord? {
        let filter = queryEncoded(#"{"id":["\#(id)"]}"#)
        let entries: [ListEntry] = try await get("\(Self.root)/containers/json?filters=\(filter)", client) ?? []
        guard let entry = entries.first(where: { $0.Id == id }) else { return nil }
        try await inspect(id, client)
        var pods: [PodEntry] = []
        if let pod = entry.Pod, !pod.isEmpty {
            pods = try await get("\(Self.root)/pods/json?filters=" + queryEncoded(#"{"id":["\#(pod)"]}"#), client) ?? []
        }
        return record(entry, pods: pods)
    }

    private func record(_ entry: ListEntry, pods: [PodEntry]) -> ContainerRecord? {
        guard entry.State == "running" || entry.State == "paused", let pid = entry.Pid, pid > 0 else { return nil }
        let pod = pods.first { $0.Id == entry.Pod }
        return ContainerRecord(
            id: entry.Id, name: entry.Names?.first ?? String(entry.Id.prefix(12)), labels: entry.Labels ?? [:],
            image: entry.Image.flatMap { $0.isEmpty ? nil : $0 }, pid: pid, createdAt: entry.Created ?? "",
            pod: pod.map { ContainerRecord.Pod(id: $0.Id, name: $0.Name, labels: $0.Labels ?? [:]) },
            isInfra: entry.IsInfra ?? false, sandboxPath: nil,
            addresses: addresses.withLock { $0[entry.Id] ?? [] })
    }

    // The field names are podman's.
    private struct ListEntry: Decodable {
        let Id: String
        let Names: [String]?
        let Labels: [String: String]?
        let Image: String?
        let Pid: Int32?
        let State: String?
        let Created: String?
        let Pod: String?
        let IsInfra: Bool?
    }

    private struct Details: Decodable {
        let NetworkSettings: EngineNetworkSettings?
    }

    private struct PodEntry: Decodable {
        let Id: String
        let Name: String
        let Labels: [String: String]?
    }
}
