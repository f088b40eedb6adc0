// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ControlAPI

struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Say whether X would reach Y, and which rules make it so.",
        discussion: """
            X and Y: the name or number of an endpoint, an address, or labels such as k8s:app=web,k8s:tier=front, also \
            of workloads that do not exist yet. Y may be a DNS name: judged are the addresses that X was told for it, or, \
            if it was told none, some address that has this name. A workload with several addresses is judged at its first, IPv4 before \
            IPv6; what is judged otherwise at another is shown too. Exit status 0 if the traffic passes, in audit mode \
            also, 1 if it is denied.
            """)

    @Option(help: "The sender.")
    var from: String

    @Option(help: "The receiver.")
    var to: String

    @Option(help: "Destination port, a number or a name that the receiver has; for ICMP the type.")
    var port: String?

    @Option(help: "tcp, udp, sctp, icmp, icmpv6 or a number.")
    var `protocol`: String = "tcp"

    @Option(help: "4 or 6, of workloads with addresses of both; 4 unless given.")
    var family: Int?

    @OptionGroup var agent: AgentOptions

    func validate() throws {
        guard family.map([4, 6].contains) ?? true else { throw ValidationError("--family is 4 or 6") }
        guard let port, UInt16(port) == nil else { return }
        guard port.contains(where: \.isLetter) else {
            throw ValidationError("--port \(port): neither 0 to 65535 nor the name of a port")
        }
    }

    var request: ExplainRequest {
        let number = port.flatMap { UInt16($0) }
        return ExplainRequest(
            from: from, to: to, port: number, protocol: `protocol`, family: family,
            portName: number == nil ? port : nil)
    }

    func run() async throws {
        let report = try await agent.client.explain(request)
        try agent.output.show(report, PolicyRendering.lines)
        if report.verdict == "deny" { throw ConsoleFailure(.negative) }
    }
}

struct ObserveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "observe",
        abstract: "Show flows with names, verdict, and the rule or reason.",
        discussion: "A filter given twice means either; different filters must all match.")

    @Flag(name: .shortAndLong, help: "Go on with new flows until interrupted.")
    var follow = false

    @Option(name: [.customShort("n"), .long], help: "Flows of the past (20, or 0 with --follow).")
    var last: Int?

    @Option(help: "Endpoint name or number, either side.")
    var endpoint: [String] = []

    @Option(help: "Labels such as k8s:app=web,k8s:tier=front, either side.")
    var label: [String] = []

    @Option(help: "Identity number or reserved name, either side.")
    var identity: [String] = []

    @Option(help: "allow, deny, audit or redirect.")
    var verdict: [VerdictName] = []

    @Option(help: "Drop reason, such as policy-default-deny.")
    var reason: [String] = []

    @Option(help: "Port, either side.")
    var port: [String] = []

    @Option(help: "tcp, udp, sctp, icmp, icmpv6 or a number.")
    var `protocol`: [String] = []

    @Option(help: "Address or prefix, either side.")
    var cidr: [String] = []

    @Option(help: "DNS name of either side, * for any characters; as the workload was told it.")
    var fqdn: [String] = []

    @Option(help: "DNS name of the sender.")
    var fromFqdn: [String] = []

    @Option(help: "DNS name of the receiver, such as *.example.org.")
    var toFqdn: [String] = []

    @Option(help: "ingress or egress, as seen from the endpoint.")
    var direction: DirectionName?

    @OptionGroup var agent: AgentOptions

    enum VerdictName: String, ExpressibleByArgument, CaseIterable {
        case allow, deny, audit, redirect
    }

    enum DirectionName: String, ExpressibleByArgument, CaseIterable {
        case ingress, egress
    }

    func validate() throws {
        guard (last ?? 0) >= 0 else { throw ValidationError("--last is a number of flows, not \(last ?? 0)") }
    }

    func run() async throws {
        let color = isInteractive
        let isJSON = agent.output.output == .json
        do {
            try await show(isJSON: isJSON, color: color)
        } catch let error as APIError where error.code == .badRequest {
            // The agent knows the words of some filters; a wrong one is the command line's fault all the same.
            throw ConsoleFailure(.usage, error.message)
        }
    }

    private func show(isJSON: Bool, color: Bool) async throws {
        try await agent.client.flows(query) { line in
            if isJSON {
                printLine(String(decoding: line, as: UTF8.self))
            } else if let flow = try? APICoding.decode(FlowRecord.self, from: line) {
                printLine(FlowRendering.line(flow, color: color))
            } else if let loss = try? APICoding.decode(FlowLoss.self, from: line) {
                printError(FlowRendering.line(loss))
            } else {
                throw ControlClientError.unreadable("a line that is no flow")
            }
            return true
        }
    }

    var query: FlowQuery {
        var query = FlowQuery()
        query.follow = follow
        query.last = last ?? (follow ? 0 : 20)
        query.endpoints = endpoint
        query.labels = label
        query.identities = identity
        query.verdicts = verdict.map(\.rawValue)
        query.reasons = reason
        query.ports = port
        query.protocols = `protocol`
        query.prefixes = cidr
        query.names = fqdn
        query.sourceNames = fromFqdn
        query.destinationNames = toFqdn
        query.direction = direction?.rawValue
        return query
    }
}
