// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CNIHost
import CNIPlugin
import ControlAPI
import LinuxHost

struct CNICommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cni", abstract: "Put the network plugin into a runtime's networks, and see what it attached.",
        subcommands: [Install.self, Uninstall.self, Status.self, Attachments.self])

    /// Which networks.
    struct Networks: ParsableArguments {
        @Option(help: ArgumentHelp("Where the runtime keeps its networks.", valueName: "path"))
        var directory = NetworkDirectory.defaultPath

        @Argument(help: ArgumentHelp("Names of networks; none: the only one there is.", valueName: "network"))
        var names: [String] = []

        var all: [NetworkDirectory.Network] {
            get throws {
                do throws(HostError) {
                    return try NetworkDirectory(path: directory).networks()
                } catch {
                    throw ConsoleFailure(.failed, "\(error)")
                }
            }
        }

        /// Those that are meant; what cannot be read has no name and is never meant.
        var chosen: [NetworkDirectory.Network] {
            get throws {
                let all = try self.all
                let known = all.filter { $0.list != nil }
                let list = known.compactMap(\.list?.name).joined(separator: ", ")
                guard !names.isEmpty else {
                    guard known.count == 1 else {
                        let broken = all.compactMap(\.fault)
                        throw ConsoleFailure(
                            .refused,
                            known.isEmpty ? "no network in \(directory)" : "name a network of \(directory): \(list)",
                            details: broken)
                    }
                    return known
                }
                return try names.flatMap { name in
                    let found = known.filter { $0.list?.name == name }
                    guard found.count == 1 else {
                        throw ConsoleFailure(
                            .refused,
                            found.isEmpty
                                ? "no network \"\(name)\" in \(directory)\(list.isEmpty ? "" : ", there is \(list)")"
                                : "more than one file names the network \"\(name)\": "
                                    + found.map(\.path).joined(separator: ", "),
                            details: found.isEmpty ? all.compactMap(\.fault) : [])
                    }
                    return found
                }
            }
        }
    }

    struct Install: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put the plugin behind all others of a network, or change its settings.",
            discussion: """
                The file is replaced at once and keeps its mode, its owner and whatever else stands in it; a file with a \
                single plugin becomes a list and is kept aside. Containers that run already are not concerned.
                """)

        @OptionGroup var networks: Networks

        @Option(help: ArgumentHelp("closed or open: what an ADD does while no agent answers.", valueName: "what"))
        var withoutAgent = PluginSettings.WithoutAgent.closed

        @Option(help: ArgumentHelp("source or attachment: who says whose an interface is.", valueName: "what"))
        var workload = PluginSettings.Workload.source

        @Option(
            help: ArgumentHelp("fail or closed: what an ADD does when no source says in time.", valueName: "what"))
        var whenUnknown = PluginSettings.Unknown.fail

        @Option(help: ArgumentHelp("How long an ADD may wait.", valueName: "seconds"))
        var timeout = PluginSettings.defaultSeconds

        @Option(help: ArgumentHelp("A label of every workload, with --workload attachment.", valueName: "key=value"))
        var label: [String] = []

        @Option(help: ArgumentHelp("The agent's API socket.", valueName: "path"))
        var socket = PluginSettings.defaultSocketPath

        @Option(help: ArgumentHelp("Where changes wait for an agent that is down.", valueName: "path"))
        var pendingDirectory = PluginSettings.defaultPendingDirectory

        @Option(help: ArgumentHelp("Copy the plugin into a runtime's directory first.", valueName: "path"))
        var pluginDirectory: String?

        func validate() throws {
            guard PluginSettings.secondsRange.contains(timeout) else {
                throw ValidationError("--timeout \(timeout): seconds, 0 to \(PluginSettings.secondsRange.upperBound)")
            }
            for text in label where text.first == "=" || !text.contains("=") {
                throw ValidationError("--label \(text): write it as key=value")
            }
            for path in [socket, pendingDirectory] where !path.hasPrefix("/") {
                throw ValidationError("\(path): a path from the root, runtimes are anywhere")
            }
        }

        func run() async throws {
            var settings = PluginSettings()
            settings.withoutAgent = withoutAgent
            settings.workload = workload
            settings.whenUnknown = whenUnknown
            settings.seconds = timeout
            settings.socketPath = socket
            settings.pendingDirectory = pendingDirectory
            for text in label {
                let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                settings.labels[String(parts[0])] = String(parts[1])
            }
            do throws(CNIError) {
                _ = try PluginSettings(settings.json)
            } catch {
                throw ConsoleFailure(.usage, error.message)
            }
            if let pluginDirectory { try copyPlugin(into: pluginDirectory) }
            try change(networks) { (directory, network) throws(NetworkDirectory.Failure) in
                try directory.install(settings, in: network) ? "installed" : "as it was"
            }
        }

        /// Before any network names it.
        private func copyPlugin(into directory: String) throws {
            do throws(HostError) {
                let isNew = try PluginFile.copy(into: directory)
                printLine("\(directory)/bulkhead-cni: \(isNew ? "copied" : "as it was")".forTerminal)
            } catch {
                throw ConsoleFailure(.failed, "\(error)")
            }
        }
    }

    struct Uninstall: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take the plugin out of a network.")

        @OptionGroup var networks: Networks

        func run() async throws {
            try change(networks) { (directory, network) throws(NetworkDirectory.Failure) in
                try directory.uninstall(from: network) ? "uninstalled" : "as it was"
            }
        }
    }

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List a runtime's networks with their plugins, and how ours is set.")

        @Option(help: ArgumentHelp("Where the runtime keeps its networks.", valueName: "path"))
        var directory = NetworkDirectory.defaultPath

        @OptionGroup var output: OutputOptions

        func run() async throws {
            var networks = Networks()
            networks.directory = directory
            try output.show(try networks.all.map(NetworkReport.init), CNIRendering.networkLines)
        }
    }

    struct Attachments: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List what the plugin told the agent, and whether policy is in force on it.")

        @OptionGroup var agent: AgentOptions

        func run() async throws {
            try agent.output.show(try await agent.client.attachments(), CNIRendering.attachmentLines)
        }
    }
}

extension PluginSettings.WithoutAgent: ExpressibleByArgument {}
extension PluginSettings.Workload: ExpressibleByArgument {}
extension PluginSettings.Unknown: ExpressibleByArgument {}

extension NetworkDirectory.Network {
    /// Why it cannot be read.
    fileprivate var fault: String? {
        if case .failure(let error) = content { "\(path): \(error)" } else { nil }
    }
}

/// Changes each network that is meant and says what became of it.
private func change(
    _ networks: CNICommand.Networks,
    _ body: (NetworkDirectory, NetworkDirectory.Network) throws(NetworkDirectory.Failure) -> String
) throws {
    for network in try networks.chosen {
        do throws(NetworkDirectory.Failure) {
            let what = try body(NetworkDirectory(path: networks.directory), network)
            printLine("\(network.list?.name ?? ""): \(what)".forTerminal)
        } catch {
            throw ConsoleFailure(.refused, "\(error)")
        }
    }
}

/// A network's file as `bulkhead cni status` shows it.
struct NetworkReport: Codable, Hashable {
    var file: String
    /// Nil: it cannot be read.
    var network: String?
    var plugins: [String]
    var installed: Bool
    /// Our settings, as they are written.
    var settings: String?
    /// Why the file, or our entry in it, is not understood.
    var problem: String?

    init(_ network: NetworkDirectory.Network) {
        file = network.path
        self.network = network.list?.name
        plugins = network.list?.types ?? []
        installed = network.list?.settings != nil
        settings = network.list?.settings?.text
        problem = nil
        do {
            let list = try network.content.get()
            if let own = list.settings { _ = try PluginSettings(own) }
        } catch let error as CNIError {
            problem = error.message
        } catch {
            problem = "\(error)"
        }
    }
}
