// SPDX-License-Identifier: Apache-2.0

import ClusterStore
import LinuxHost
import Logging

/// Brings a fleet's policies and workloads to the agent, and this node's workloads to the fleet.
struct FleetMembership: Sendable {
    /// Of the feed, in `status` and in the names of what comes from it.
    static let feedName = "etcd"

    let settings: FleetSettings
    let instancePath: String
    let memory: ClusterMemory
    let state: AgentState
    let logger: Logger

    /// What was known before the start comes into force with the first commit.
    ///
    /// Before the agent adopts.
    func join() async -> RememberedCluster { await state.join(Self.feedName, memory) }

    /// Runs until cancelled; throws if files for the store cannot be used.
    func run(_ remembered: RememberedCluster) async throws {
        let cluster = try open()
        cluster.begin(with: remembered.take())
        await state.use(cluster)
        await state.clearProblem("cluster")
        await ClusterSource(feed: cluster, memory: memory, state: state).run()
    }

    private func open() throws -> EtcdCluster {
        var configuration = try settings.configuration(instance: InstanceName(path: instancePath).value())
        configuration.agent = AgentState.version
        configuration.nameFile = "\(memory.path)-store"
        return try EtcdCluster(configuration: configuration, node: state.node, logger: logger)
    }
}

extension FleetSettings {
    /// Throws if files for the store cannot be used, or the node's name is none.
    func check(node: String) throws {
        _ = try EtcdCluster(
            configuration: configuration(instance: "check"), node: node,
            logger: Logger(label: "check") { _ in SwiftLogNoOpLogHandler() })
    }
}

/// Tells this installation from another host that was given the same name; drawn once.
struct InstanceName {
    let path: String

    func value() throws(AgentError) -> String {
        do throws(HostError) {
            do throws(HostError) {
                let text = String(try readTextFile(path).prefix { !$0.isNewline })
                if !text.isEmpty { return text }
            } catch {
                guard error.code == 2 else { throw error }
            }
            let name = Name.random()
            try AtomicFile.write(Array("\(name)\n".utf8), to: path)
            return name
        } catch {
            throw AgentError("\(error)")
        }
    }
}
