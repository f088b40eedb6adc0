// SPDX-License-Identifier: Apache-2.0

import AgentCore
import ArgumentParser
import Glibc
import Logging

/// Flags of the agent; each overrides the configuration file.
@main struct AgentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bulkhead-agent",
        abstract: "Keeps the workloads of this host apart: watches them, compiles policies, programs the kernel.",
        version: "0.1.0", subcommands: [ControllerCommand.self])

    @Option(help: "Configuration file (default: /etc/bulkhead/agent.yaml if it exists).") var config: String?
    @Option(help: "Directory with policy files.") var policyDir: String?
    @Option(help: "File that names workloads: namespaces, taps, veths.") var workloads: String?
    @Option(help: "Directory for what must survive a restart.") var stateDir: String?
    @Option(help: "Directory for the API socket and the lock.") var runDir: String?
    @Option(help: "Directory on a BPF file system for pins.") var bpffs: String?
    @Option(help: "Socket of podman's REST service; empty: do not ask podman.") var podmanSocket: String?
    @Option(help: "Socket of Docker; empty: do not ask Docker.") var dockerSocket: String?
    @Option(help: "Group that may change things through the API.") var apiGroup: String?
    @Flag(help: "Report what policy would drop, and drop nothing for policy.") var audit = false
    @Flag(help: "Compute and report; leave the kernel alone.") var dryRun = false
    @Flag(help: "Judge traffic of the host itself too.") var hostEndpoint = false
    @Option(help: "Device of the host endpoint; may be repeated.") var hostDevice: [String] = []
    @Option(help: "trace, debug, info, notice, warning, error or critical.") var logLevel: String?
    @Option(help: "text or json.") var logFormat: String?
    @Flag(help: "Read the configuration, say whether it is valid, and end.") var checkConfig = false

    func run() async throws {
        do {
            let configuration = try effectiveConfiguration()
            guard !checkConfig else { return try configuration.checkFiles() }
            try await Agent(configuration: configuration, logger: configuration.logger("bulkhead-agent")).run()
        } catch let error as ValidationError {
            throw error
        } catch {
            throw ExitMessage.report("bulkhead-agent: \(error)")
        }
    }

    func effectiveConfiguration() throws -> AgentConfiguration {
        var result = AgentConfiguration()
        if let path = config ?? AgentConfiguration.existingDefaultPath { try result.read(file: path) }
        if let policyDir { result.policyDirectory = policyDir }
        if let workloads { result.workloadsFile = workloads }
        if let stateDir { result.stateDirectory = stateDir }
        if let runDir { result.runDirectory = runDir }
        if let bpffs { result.bpfDirectory = bpffs }
        if let podmanSocket { result.podmanSocket = podmanSocket }
        if let dockerSocket { result.dockerSocket = dockerSocket }
        if let apiGroup { result.apiGroup = apiGroup }
        if audit { result.isAudit = true }
        if dryRun { result.isDryRun = true }
        if hostEndpoint || !hostDevice.isEmpty { result.hostEndpoint.isEnabled = true }
        if !hostDevice.isEmpty { result.hostEndpoint.devices = hostDevice }
        if let logLevel { result.logLevel = try parse(logLevel, "--log-level") }
        if let logFormat { result.logFormat = try parse(logFormat, "--log-format") }
        return result
    }

    private func parse<Value: RawRepresentable>(_ text: String, _ flag: String) throws -> Value
    where Value.RawValue == String {
        guard let value = Value(rawValue: text) else { throw ValidationError("\(flag): no value \"\(text)\"") }
        return value
    }
}

extension AgentConfiguration {
    func logger(_ label: String) -> Logger {
        var logger = Logger(label: label) { _ in AgentLogHandler(format: logFormat, level: logLevel) }
        logger.logLevel = logLevel
        return logger
    }
}

/// Ends the program with an error of its own words.
enum ExitMessage {
    static func report(_ text: String) -> ExitCode {
        let bytes = Array((text + "\n").utf8)
        _ = unsafe bytes.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
        return ExitCode(1)
    }
}
