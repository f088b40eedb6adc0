// SPDX-License-Identifier: Apache-2.0

import AgentCore
import ArgumentParser

/// The part of a Kubernetes cluster's work that is done once, not on every node.
struct ControllerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "controller",
        abstract:
            "Does for a Kubernetes cluster what is done once: tells policies how they fare, writes workload slices.",
        discussion: """
            Several stand ready, one works, chosen by a lease. \
            Reads `kubernetes`, `identityLabels`, `runDirectory`, `logLevel` and `logFormat` of the agents' configuration; the \
            labels must be chosen as the agents choose them. Needs no privileges.
            """)

    /// Whose flags count here too: `--config`, `--run-dir`, `--log-level`, `--log-format`.
    @ParentCommand var agent: AgentCommand
    @Option(help: "Namespace of the lease.") var namespace = "bulkhead-system"
    @Option(help: "Name of this one among all; a pod's name (default: POD_NAME, or the host's name and process).")
    var identity: String?
    @Option(help: "Workloads in a slice, 1 to 1000.") var workloadsPerSlice = 250
    @Option(help: "Slices written in a second, at most.") var writesPerSecond = 20
    @Flag(inversion: .prefixedNo, help: "Write workload slices: for clusters whose agents read them.")
    var slices = true
    @Flag(inversion: .prefixedNo, help: "Tell policies, by conditions and Events, how they fare on the nodes.")
    var policyStatus = true
    @Flag(help: "Ask the controller that runs here how it stands, print it, and end; fails if none answers.")
    var probe = false

    func validate() throws {
        guard (1...1000).contains(workloadsPerSlice) else {
            throw ValidationError("--workloads-per-slice: from 1 to 1000")
        }
        guard (1...1000).contains(writesPerSecond) else { throw ValidationError("--writes-per-second: from 1 to 1000") }
        guard slices || policyStatus else {
            throw ValidationError("--no-slices and --no-policy-status leave nothing to do")
        }
    }

    func run() async throws {
        do {
            let configuration = try agent.effectiveConfiguration()
            guard !probe else { return print(try await ClusterController.probe(configuration)) }
            var settings = ControllerSettings()
            settings.namespace = namespace
            settings.identity = identity ?? ControllerSettings.ownIdentity
            settings.workloadsPerSlice = workloadsPerSlice
            settings.writesPerSecond = writesPerSecond
            (settings.writesSlices, settings.writesPolicyStatus) = (slices, policyStatus)
            try await ClusterController(
                configuration: configuration, settings: settings, logger: configuration.logger("bulkhead-controller")
            ).run()
        } catch let error as ValidationError {
            throw error
        } catch {
            throw ExitMessage.report("bulkhead-agent controller: \(error)")
        }
    }
}
