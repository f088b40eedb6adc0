// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The real agent, running in a host's namespace on directories, pins and a socket of the bed's own.
///
/// Its workloads come from a workloads file, its policies from a directory; both are empty at first.
package final class TestAgent: Sendable {
    package let host: TestHost
    package let directory: String
    package let pinDirectory: String
    private let engines: Engines
    private let extraConfiguration: String

    /// Sockets of the container engines that the agent asks; empty: none.
    package struct Engines: Sendable {
        package var podman = ""
        package var docker = ""

        package init(podman: String = "", docker: String = "") {
            self.podman = podman
            self.docker = docker
        }
    }

    package var socketPath: String { "\(directory)/run/bulkhead.sock" }
    package var policyDirectory: String { "\(directory)/policies" }
    package var workloadsPath: String { "\(directory)/workloads.yaml" }

    init(host: TestHost, directory: String, pinDirectory: String, engines: Engines, extraConfiguration: String) {
        self.host = host
        self.directory = directory
        self.pinDirectory = pinDirectory
        self.engines = engines
        self.extraConfiguration = extraConfiguration
    }

    /// Starts the agent; it is ready when its socket answers, which the caller waits for.
    /// - Parameter environment: added to this process's environment.
    package func start(_ flags: [String] = [], environment: [String: String] = [:]) throws -> SpawnedProcess {
        try host.namespace.start(
            [Self.product("bulkhead-agent"), "--config", "\(directory)/agent.yaml"] + flags, environment: environment)
    }

    /// Runs the command-line tool against this agent.
    package func tool(_ arguments: String..., input: String? = nil) async throws -> CommandResult {
        try await tool(arguments, input: input)
    }

    /// The same with a list.
    package func tool(_ arguments: [String], input: String? = nil) async throws -> CommandResult {
        try await host.namespace.run(
            [Self.product("bulkhead")] + arguments, environment: ["BULKHEAD_SOCKET": socketPath], input: input)
    }

    /// Writes a policy file as an editor does: beside, then over.
    package func writePolicy(_ name: String, _ text: String) throws {
        try writeFile("\(policyDirectory)/.\(name).new", text)
        try renameFile("\(policyDirectory)/.\(name).new", to: "\(policyDirectory)/\(name)")
    }

    /// Writes the workloads file, over the old one at once.
    package func writeWorkloads(text: String) throws {
        try writeFile(workloadsPath + ".new", text)
        try renameFile(workloadsPath + ".new", to: workloadsPath)
    }

    /// Writes the workloads file.
    package func writeWorkloads(
        _ workloads: [(workload: TestWorkload, name: String, labels: [String: String])],
        ports: [String: [String: Int]] = [:]
    ) throws {
        var text = "workloads:\n"
        for (workload, name, labels) in workloads {
            text += "  - name: \(name)\n    namespace: shop\n    netns: \(workload.namespace.path)\n    labels:\n"
            for (key, value) in labels.sorted(by: { $0.key < $1.key }) { text += "      \(key): \(value)\n" }
            guard let named = ports[name] else { continue }
            text += "    ports:\n" + named.sorted { $0.key < $1.key }.map { "      \($0.key): \($0.value)\n" }.joined()
        }
        if workloads.isEmpty { text = "workloads: []\n" }
        try writeWorkloads(text: text)
    }

    func prepare() throws {
        try makeDirectory(policyDirectory)
        try writeWorkloads([])
        try writeFile(
            "\(directory)/agent.yaml",
            """
            policyDirectory: \(policyDirectory)
            workloadsFile: \(workloadsPath)
            stateDirectory: \(directory)/state
            runDirectory: \(directory)/run
            bpfDirectory: \(pinDirectory)
            podmanSocket: "\(engines.podman)"
            dockerSocket: "\(engines.docker)"
            \(extraConfiguration)

            """)
    }

    /// A product of this build.
    package static func product(_ name: String) -> String { "\(productDirectory)/\(name)" }

    /// Products stand beside the test bundle; from the root, for programs that run elsewhere.
    package static let productDirectory: String = {
        let bundle = CommandLine.arguments[0]
        let folder = bundle.lastIndex(of: "/").map { String(bundle[..<$0]) } ?? "."
        guard let whole = unsafe realpath(folder, nil) else { return folder }
        defer { unsafe free(whole) }
        return unsafe String(cString: whole)
    }()
}

extension TestHost {
    /// Prepares an agent for this host.
    /// - Parameter configuration: more lines for its configuration file.
    package func agent(
        _ stem: String = "agent", engines: TestAgent.Engines = TestAgent.Engines(), configuration: String = ""
    ) async throws -> TestAgent {
        let directory = bed.path(stem)
        try makeDirectory(directory)
        let agent = TestAgent(
            host: self, directory: directory, pinDirectory: try await bed.makePinDirectory(stem == "agent" ? "" : stem),
            engines: engines, extraConfiguration: configuration)
        try agent.prepare()
        return agent
    }
}
