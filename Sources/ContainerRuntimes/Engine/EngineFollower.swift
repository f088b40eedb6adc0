// SPDX-License-Identifier: Apache-2.0

import LinuxHost
import LocalHTTP
import Logging

/// Follows one engine for as long as its task lives.
///
/// Its state belongs to that task alone.
struct EngineFollower {
    /// Waiting times before the next attempt: quick, because what starts meanwhile is not yet policed.
    private static let backoffs: [Duration] = [.milliseconds(50), .milliseconds(200), .milliseconds(500), .seconds(1)]
    /// How often everything is looked at again although no event asked for it.
    private static let resyncInterval = Duration.seconds(60)

    private let api: any EngineAPI
    private let client: LocalHTTPClient
    private let host: NetworkNamespace
    private let logger: Logger
    private let report: @Sendable (WorkloadChange) -> Void
    private let inspector: NamespaceInspector

    init(
        api: any EngineAPI, client: LocalHTTPClient, host: NetworkNamespace, logger: Logger,
        report: @escaping @Sendable (WorkloadChange) -> Void
    ) throws {
        self.api = api
        self.client = client
        self.host = host
        self.logger = logger
        self.report = report
        self.inspector = try NamespaceInspector(host: host)
    }

    /// Connects, follows, and starts over, until the task is cancelled.
    func run() async {
        var attempt = 0
        var lastMessage: String?
        while !Task.isCancelled {
            var message: String
            do {
                try await follow { attempt = 0 }
                message = "the event stream of \(api.name) ended"
            } catch {
                message = "\(error)"
            }
            if attempt == 0 { lastMessage = nil }
            guard !Task.isCancelled else { return }
            message += "; trying again, what is known stays in force"
            if message != lastMessage {
                report(.status(WorkloadSourceStatus(isConnected: false, message: message)))
                logger.notice(
                    "workload source interrupted", metadata: ["source": "\(api.name)", "cause": "\(message)"])
            }
            lastMessage = message
            try? await Task.sleep(for: Self.backoffs[min(attempt, Self.backoffs.count - 1)])
            attempt += 1
        }
    }

    private enum Work: Hashable {
        case everything
        case container(String)
        case namespace(UInt64)
    }

    /// One connection: everything once, then what events name.
    private func follow(_ onConnected: () -> Void) async throws {
        // Subscribed before the list is asked for, so that nothing falls between.
        let events = try await client.open("GET", api.eventsTarget)
        guard events.status == 200 else {
            throw EngineError("\(api.name) answers \(api.eventsTarget) with status \(events.status)")
        }
        let work = DirtySet<Work>()
        work.insert([.everything])
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask {
                defer { work.finish() }
                for try await line in events.lines {
                    if let id = EngineEvent.containerID(line) { work.insert([.container(id)]) }
                }
            }
            group.addTask {
                for await inode in inspector.changes() { work.insert([.namespace(inode)]) }
            }
            group.addTask {
                while true {
                    try await Task.sleep(for: Self.resyncInterval)
                    work.insert([.everything])
                }
            }
            var state = EngineState(
                grouping: WorkloadGrouping(runtime: api.name, hostNamespaceInode: try host.inode()),
                inspector: inspector)
            var isConnected = false
            try await work.forEachRound { round in
                try await update(&state, round)
                if isConnected {
                    for change in state.changes() { report(change) }
                } else {
                    isConnected = true
                    onConnected()
                    report(state.snapshot())
                    let message = "following \(api.name) at \(client.socketPath)"
                    report(.status(WorkloadSourceStatus(isConnected: true, message: message)))
                }
            }
        }
    }

    private func update(_ state: inout EngineState, _ round: Set<Work>) async throws {
        if round.contains(.everything) {
            await state.replace(with: try await api.runningContainers(client))
            return
        }
        for case .container(let id) in round {
            state.set(id, to: try await api.container(id, client))
        }
        await state.refresh(
            namespaces: round.compactMap { if case .namespace(let inode) = $0 { inode } else { nil } })
    }
}
