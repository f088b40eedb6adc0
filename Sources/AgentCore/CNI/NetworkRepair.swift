// SPDX-License-Identifier: Apache-2.0

import CNIHost
import CNIPlugin
import LinuxHost
import Logging

/// Which networks of a runtime the plugin is kept in.
struct NetworkRepairSettings: Hashable, Sendable {
    var directory = NetworkDirectory.defaultPath
    /// By name; empty: the agent leaves the directory alone.
    var networks: [String] = []
    /// What stands in our entry, but for the agent's own paths.
    var plugin = PluginSettings()
}

/// Puts the plugin back into networks that somebody wrote anew: a main plugin's installer writes its file at each start.
struct NetworkRepair: Sendable {
    /// Two that do not agree write once a second, not as fast as they can.
    private static let pause: Duration = .seconds(1)
    private static let subject = "network plugin"

    let settings: NetworkRepairSettings
    let state: AgentState
    let logger: Logger

    /// Runs until cancelled.
    func run() async throws {
        for await _ in try DirectoryWatcher.changes(in: settings.directory) {
            let (repaired, faults) = look()
            for name in repaired {
                logger.notice("the plugin is in the network again", metadata: ["network": "\(name)"])
            }
            if faults.isEmpty {
                await state.clearProblem(Self.subject)
            } else {
                await state.report(Self.subject, faults.joined(separator: "; "))
            }
            if !repaired.isEmpty { try await Task.sleep(for: Self.pause) }
        }
    }

    /// One look: networks that were repaired, and why others are without the plugin.
    func look() -> (repaired: [String], faults: [String]) {
        let directory = NetworkDirectory(path: settings.directory)
        let all: [NetworkDirectory.Network]
        do throws(HostError) {
            all = try directory.networks()
        } catch {
            return ([], ["\(error): containers of its networks start without the plugin"])
        }
        var (repaired, faults): ([String], [String]) = ([], [])
        for name in settings.networks {
            let found = all.filter { $0.list?.name == name }
            if found.isEmpty { faults.append("no file in \(settings.directory) is of the network \(name)") }
            for network in found {
                do throws(NetworkDirectory.Failure) {
                    if try directory.install(settings.plugin, in: network) { repaired.append(name) }
                } catch {
                    faults.append("\(error)")
                }
            }
        }
        return (repaired, faults)
    }
}

extension ConfigurationReader {
    func networkRepair() throws -> NetworkRepairSettings {
        var settings = NetworkRepairSettings()
        try mapping([
            "directory": { settings.directory = try $0.string() },
            "networks": { settings.networks = try $0.list().map { try $0.string() } },
            "withoutAgent": { settings.plugin.withoutAgent = try $0.choice(PluginSettings.WithoutAgent.self) },
            "workload": { settings.plugin.workload = try $0.choice(PluginSettings.Workload.self) },
            "whenUnknown": { settings.plugin.whenUnknown = try $0.choice(PluginSettings.Unknown.self) },
            "timeout": { settings.plugin.seconds = try $0.integer(PluginSettings.secondsRange) },
            "labels": { reader in
                for (key, value) in try reader.entries() { settings.plugin.labels[key] = try value.string() }
            },
        ])
        return settings
    }
}
