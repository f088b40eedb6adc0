// SPDX-License-Identifier: Apache-2.0

import LocalHTTP

/// The Docker Engine API, without a version in the path: each daemon then answers in its own.
struct DockerAPI: EngineAPI {
    let name = "docker"

    /// Containers inspected at the same time.
    private static let inspectionsMax = 8

    var eventsTarget: String { "/events?filters=" + queryEncoded(#"{"type":["container","network"]}"#) }

    func runningContainers(_ client: LocalHTTPClient) async throws -> [ContainerRecord] {
        let entries: [ListEntry] = try await get("/containers/json", client) ?? []
        return try await withThrowingTaskGroup(of: ContainerRecord?.self) { group in
            var records: [ContainerRecord] = []
            for (index, entry) in entries.enumerated() {
                if index >= Self.inspectionsMax, let record = try await group.next() ?? nil { records.append(record) }
                group.addTask { try await container(entry.Id, client) }
            }
            for try await case let record? in group { records.append(record) }
            return records
        }
    }

    func container(_ id: String, _ client: LocalHTTPClient) async throws -> ContainerRecord? {
        guard let details: Details = try await get("/containers/\(id)/json", client), details.State.Running,
            details.State.Pid > 0
        else { return nil }
        let name = details.Name.hasPrefix("/") ? String(details.Name.dropFirst()) : details.Name
        return ContainerRecord(
            id: details.Id, name: name, labels: details.Config.Labels ?? [:], image: details.Config.Image,
            pid: details.State.Pid, createdAt: details.Created ?? "",
            pod: nil, isInfra: false,
            sandboxPath: details.NetworkSettings?.SandboxKey.flatMap { $0.isEmpty ? nil : $0 },
            addresses: details.NetworkSettings?.addresses ?? [])
    }

    // The field names are Docker's.
    private struct ListEntry: Decodable {
        let Id: String
    }

    private struct Details: Decodable {
        struct State: Decodable {
            let Running: Bool
            let Pid: Int32
        }
        struct Config: Decodable {
            let Labels: [String: String]?
            let Image: String?
        }
        let Id: String
        let Name: String
        let Created: String?
        let State: State
        let Config: Config
        let NetworkSettings: EngineNetworkSettings?
    }
}
