// SPDX-License-Identifier: Apache-2.0

/// The agent as the plugin sees it, and where changes wait for it.
package protocol PluginSurroundings {
    /// Asks the agent. Throws only where no agent answers.
    func ask(_ request: AgentRequest, of socketPath: String, within seconds: Int) throws(AgentDown) -> AgentAnswer
    /// Keeps a change for the agent's next start, unless the agent turns out to be there.
    ///
    /// `isTaken` is called while no agent can read what waits.
    func postpone(
        _ change: PendingChange, in directory: String, unless isTaken: () -> Bool
    ) throws(CNIError)
}

/// A request to the agent's API.
package struct AgentRequest: Hashable, Sendable {
    package var method: String
    /// Below `/v1`.
    package var path: [String]
    package var body: JSONValue?

    package init(_ method: String, _ path: [String], _ body: JSONValue? = nil) {
        self.method = method
        self.path = path
        self.body = body
    }
}

package struct AgentAnswer: Hashable, Sendable {
    package var status: Int
    package var body: JSONObject

    package init(status: Int, body: JSONObject) {
        self.status = status
        self.body = body
    }

    /// What an error says.
    var message: String { body["message"]?.string ?? "status \(status)" }
}

/// No agent answers.
package struct AgentDown: Error, Hashable, Sendable {
    package let reason: String

    package init(_ reason: String) { self.reason = reason }
}

/// The plugin: one call, from environment and standard input to output and status.
package struct ChainedPlugin {
    /// What the process leaves behind.
    package struct Outcome: Hashable, Sendable {
        /// For standard output; empty: nothing.
        package var output = ""
        package var status: Int32 = 0
        /// For standard error.
        package var log: [String] = []
    }

    private let surroundings: any PluginSurroundings

    package init(_ surroundings: any PluginSurroundings) { self.surroundings = surroundings }

    package func run(environment: [String: String], input: [UInt8]) -> Outcome {
        var outcome = Outcome()
        // Errors are told in the caller's version as soon as that is known.
        var version = CNIVersion.v110
        do throws(CNIError) {
            let invocation = try Invocation(environment: environment)
            if let spoken = Self.version(of: input) { version = spoken }
            let configuration = try PluginConfiguration(input, for: invocation.command)
            version = configuration.version
            let result = try perform(invocation, configuration, &outcome.log)
            if let result { outcome.output = JSONValue.object(result).text + "\n" }
        } catch {
            outcome.output = error.json(version).text + "\n"
            outcome.status = 1
        }
        return outcome
    }

    private static func version(of input: [UInt8]) -> CNIVersion? {
        (try? JSONValue(json: input))?.object?["cniVersion"]?.string.flatMap(CNIVersion.init)
    }

    private func perform(
        _ invocation: Invocation, _ configuration: PluginConfiguration, _ log: inout [String]
    ) throws(CNIError) -> JSONObject? {
        let version = configuration.version
        switch invocation.command {
        case .version:
            return [
                "cniVersion": .string(version.rawValue),
                "supportedVersions": .strings(CNIVersion.allCases.map(\.rawValue)),
            ]
        case .add: return try add(invocation, configuration, &log)
        case .delete: try delete(invocation, configuration, &log)
        case .check:
            try require(version, atLeast: .v040, "CHECK")
            try check(invocation, configuration)
        case .collect:
            try require(version, atLeast: .v110, "GC")
            try collect(configuration)
        case .status:
            try require(version, atLeast: .v110, "STATUS")
            try status(configuration)
        }
        return nil
    }

    private func require(_ version: CNIVersion, atLeast least: CNIVersion, _ command: String) throws(CNIError) {
        guard version < least else { return }
        throw CNIError(.incompatibleVersion, "\(command) is of \(least.rawValue), the list of \(version.rawValue)")
    }

    private func ask(
        _ method: String, _ path: [String], _ body: JSONValue? = nil, _ settings: PluginSettings, waiting: Bool = false
    ) throws(AgentDown) -> AgentAnswer {
        // An agent that does not even say no in time is as good as none.
        let answer = try surroundings.ask(
            AgentRequest(method, ["attachments"] + path, body), of: settings.socketPath,
            within: Self.graceSeconds + (waiting ? settings.seconds : 0))
        if answer.status == 503 { throw AgentDown(answer.message) }
        return answer
    }

    /// Longer than the agent takes to put its programs on.
    private static let graceSeconds = 10

    private func add(
        _ invocation: Invocation, _ configuration: PluginConfiguration, _ log: inout [String]
    ) throws(CNIError) -> JSONObject {
        guard let object = configuration.previous else {
            throw CNIError(
                .badConfiguration, "there is no prevResult",
                details: "bulkhead-cni stands behind the plugin that makes the interface")
        }
        let (previous, settings) = (PluginResult(object: object), configuration.settings)
        // Before the agent is asked: what cannot be printed must not be attached.
        let result = try previous.converted(to: configuration.version)
        let request = AttachmentRequest(invocation, configuration, previous)
        let send = { () throws(AgentDown) -> AgentAnswer in
            try self.ask("POST", [], request.json, settings, waiting: true)
        }
        let answer: AgentAnswer
        do throws(AgentDown) {
            answer = try send()
        } catch {
            guard settings.withoutAgent == .open else { throw Self.down(error) }
            log.append("no policy is in force on \(invocation.interface) of \(invocation.containerID): \(error.reason)")
            try postpone(.add(request), settings, &log, send)
            return result
        }
        try Self.judge(answer, settings)
        return result
    }

    private static func judge(_ answer: AgentAnswer, _ settings: PluginSettings) throws(CNIError) {
        guard answer.status == 200 else {
            throw CNIError(.refused, "the agent does not take the attachment: \(answer.message)")
        }
        switch answer.body["state"]?.string {
        case AttachmentState.inForce.rawValue: return
        case AttachmentState.closed.rawValue where settings.whenUnknown == .closed: return
        case AttachmentState.closed.rawValue, AttachmentState.pending.rawValue:
            throw CNIError(
                .tryAgainLater, "policy is not in force after \(settings.seconds) s: \(answer.message)",
                details: "nothing passes until a source of the agent's says who it is")
        default: throw CNIError(.refused, "policy is not in force: \(answer.message)")
        }
    }

    private static func down(_ error: AgentDown) -> CNIError {
        CNIError(.tryAgainLater, "no agent answers: \(error.reason)", details: "start bulkhead-agent")
    }

    /// Never fails where there is something to delete: what remained would be the main plugin's addresses.
    private func delete(
        _ invocation: Invocation, _ configuration: PluginConfiguration, _ log: inout [String]
    ) throws(CNIError) {
        let settings = configuration.settings
        let send = { () throws(AgentDown) -> AgentAnswer in
            try self.ask("DELETE", [invocation.containerID, invocation.interface], nil, settings)
        }
        do throws(AgentDown) {
            let answer = try send()
            if ![200, 404].contains(answer.status) { log.append("the agent: \(answer.message)") }
        } catch {
            let name = AttachmentName(containerID: invocation.containerID, interface: invocation.interface)
            try postpone(.delete(name), settings, &log, send)
        }
    }

    /// A change that cannot be kept is found by the agent itself: the interface is there, or it is gone.
    private func postpone(
        _ change: PendingChange, _ settings: PluginSettings, _ log: inout [String],
        _ send: () throws(AgentDown) -> AgentAnswer
    ) throws(CNIError) {
        do throws(CNIError) {
            try surroundings.postpone(change, in: settings.pendingDirectory) {
                do throws(AgentDown) {
                    _ = try send()
                    return true
                } catch {
                    return false
                }
            }
        } catch {
            log.append("the change does not wait for the agent: \(error.message)")
        }
    }

    private func check(_ invocation: Invocation, _ configuration: PluginConfiguration) throws(CNIError) {
        guard configuration.previous != nil else { throw CNIError(.badConfiguration, "there is no prevResult") }
        let settings = configuration.settings
        let answer: AgentAnswer
        do throws(AgentDown) {
            answer = try ask("GET", [invocation.containerID, invocation.interface], nil, settings)
        } catch {
            guard settings.withoutAgent == .closed else { return }
            throw Self.down(error)
        }
        let isClosedWanted = settings.whenUnknown == .closed && answer.body["state"]?.string == "closed"
        guard answer.status == 200, answer.body["state"]?.string == AttachmentState.inForce.rawValue || isClosedWanted
        else { throw CNIError(.notInForce, "policy is not in force: \(answer.message)") }
    }

    private func collect(_ configuration: PluginConfiguration) throws(CNIError) {
        guard let valid = configuration.valid else { return }
        guard !configuration.network.isEmpty else { throw CNIError(.badConfiguration, "the network has no name") }
        let collection = AttachmentCollection(network: configuration.network, valid: valid)
        do throws(AgentDown) {
            let answer = try ask("POST", ["collect"], collection.json, configuration.settings)
            guard answer.status == 200 else { throw AgentDown(answer.message) }
        } catch {
            throw Self.down(error)
        }
    }

    private func status(_ configuration: PluginConfiguration) throws(CNIError) {
        guard configuration.settings.withoutAgent == .closed else { return }
        do throws(AgentDown) {
            let answer = try ask("GET", ["ready"], nil, configuration.settings)
            guard answer.status == 200 else { throw AgentDown(answer.message) }
        } catch {
            throw CNIError(
                .notAvailable, "no agent answers: \(error.reason)",
                details: "start bulkhead-agent; what runs stays enforced")
        }
    }
}
