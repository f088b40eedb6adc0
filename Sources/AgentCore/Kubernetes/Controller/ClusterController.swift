// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc
import IdentityModel
import KubernetesClient
import LinuxHost
import LocalHTTP
package import Logging
import UnixSignals

/// How a controller does its work.
package struct ControllerSettings: Hashable, Sendable {
    /// Of the Lease that the controllers of a cluster share.
    package var namespace = "bulkhead-system"
    package var lease = "bulkhead-controller"
    /// Unlike that of all others; a pod's name.
    package var identity = ""
    /// A change of one workload sends the whole slice to every node.
    package var workloadsPerSlice = 250
    package var writesPerSecond = 20
    /// Whether workload slices are written.
    package var writesSlices = true
    /// Whether policies are told how they fare on the nodes.
    package var writesPolicyStatus = true
    /// Of conditions of policies: each is told to every node.
    package var statusWritesPerSecond = 20
    var election = Election.Settings()

    package init() {}

    /// That of the pod, or else one that no other process has.
    package static var ownIdentity: String {
        if let pod = environmentValue("POD_NAME"), !pod.isEmpty { return pod }
        return "\(HostName.current())-\(getpid())"
    }
}

/// Does for all nodes of a cluster what would cost too much on each: one of several that stand ready, chosen by a lease.
///
/// Needs no privileges: it reads and writes objects of the API. Without any, slices and conditions stay as they were written last.
package struct ClusterController: Sendable {
    private let configuration: AgentConfiguration
    private let settings: ControllerSettings
    private let logger: Logger
    private let board: ControllerBoard

    package init(configuration: AgentConfiguration, settings: ControllerSettings, logger: Logger) {
        self.configuration = configuration
        self.settings = settings
        self.logger = logger
        board = ControllerBoard(identity: settings.identity)
    }

    /// What the controller that runs on this host, or in this pod, says of itself: JSON of `ControllerStatus`.
    ///
    /// Throws if none answers.
    package static func probe(_ configuration: AgentConfiguration) async throws -> String {
        let answer = try await LocalHTTPClient(socketPath: socketPath(configuration)).request("GET", "/status")
        return String(decoding: answer.body, as: UTF8.self)
    }

    private static func socketPath(_ configuration: AgentConfiguration) -> String {
        "\(configuration.runDirectory)/controller.sock"
    }

    /// Runs until cancelled, or until a signal ends it.
    package func run() async throws {
        let client = KubernetesClient(try configuration.kubernetes.configuration())
        let board = board
        let server = try await LocalHTTPServer.bind(socketPath: Self.socketPath(configuration)) { _ in
            LocalResponse(
                status: 200, contentType: "application/json",
                body: .bytes((try? Array(JSONEncoder().encode(board.status))) ?? []))
        }
        let elector = LeaderElector(
            client, lease: ObjectKey(namespace: settings.namespace, name: settings.lease), identity: settings.identity,
            settings: settings.election)
        let writer = SliceWriter(
            client: client, filter: LabelFilter(configuration.labelRules), settings: settings, board: board,
            logger: logger)
        let policies = PolicyStatusWriter(client: client, settings: settings, board: board, logger: logger)
        logger.notice(
            "ready", metadata: ["identity": "\(settings.identity)", "server": "\(client.configuration.server)"])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            group.addTask { await lead(elector, writer, policies) }
            group.addTask { for await _ in await UnixSignalsSequence(trapping: .sigterm, .sigint) { return } }
            _ = try await group.next()
            group.cancelAll()
        }
        await client.shutDown()
    }

    private func lead(_ elector: LeaderElector, _ writer: SliceWriter, _ policies: PolicyStatusWriter) async {
        let (board, logger, settings) = (board, logger, settings)
        await elector.run { problem in
            if board.note("election", problem), let problem { logger.warning("\(problem)") }
        } lead: {
            logger.notice("leads")
            board.update { $0.isLeader = true }
            await withTaskGroup(of: Void.self) { group in
                if settings.writesSlices { group.addTask { await writer.run() } }
                if settings.writesPolicyStatus { group.addTask { await policies.run() } }
                await group.waitForAll()
            }
            board.update { $0.isLeader = false }
            logger.notice("leads no more")
        }
    }
}
