// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Detectors
import FeedReading
import IdentityModel
import KernelDatapath
import LinuxHost
import NetworkModel
import PolicyModel
import ResponseActions

extension AgentState {
    /// Whom no action may hit, as of now.
    func railsWithSessions(_ protected: [CIDR] = []) async -> GuardRails {
        let clients = await sessions.clients()
        var rails = guardRails(protected)
        rails.sessions = clients
        return rails
    }

    /// Nobody whom the host needs is cut off by a list.
    func spareInFeeds() async {
        guard let shield, configuration.shield.feeds.contains(where: { $0.action == .deny }) else { return }
        await shield.spare(await railsWithSessions().needed)
    }

    private func guardRails(_ protected: [CIDR]) -> GuardRails {
        var rails = GuardRails(protected: protected, areKnown: network != nil && !hostAddresses.isEmpty)
        rails.own = Set(hostAddresses)
        rails.gateways = network?.routes.gateways ?? []
        rails.resolvers = configuration.names.resolvers.union(ResolverFile.servers(at: "/etc/resolv.conf"))
        let workloads = engine.input.workloads.values.filter { !$0.isHost }
        rails.workloads = Set(workloads.flatMap(\.addresses)).subtracting(hostAddresses)
        return rails
    }

    /// What somebody who switches responses on may not expect.
    func responseNotes() -> [ProblemReport] {
        let (detector, ports) = (PasswordGuessing.name, configuration.shield.settings.failsafePorts)
        let rule = configuration.response.settings.rule(for: detector)
        guard rule.mode == .on, !rule.closesFailsafes, !ports.isEmpty else { return [] }
        let message =
            "failsafe ports (\(ports.sorted().map(String.init).joined(separator: ", "))) stay open to whoever is blocked for "
            + "guessing passwords: `failsafes: true` of `response.detectors.\(detector)` closes them"
        return [ProblemReport(subject: "response", message: message, since: firstSeen("response", message))]
    }

    /// Names of the endpoints that have these addresses.
    func endpointNames(_ addresses: Set<IPAddress>) -> [IPAddress: String] {
        var names: [IPAddress: String] = [:]
        for workload in engine.input.workloads.values {
            for address in workload.addresses where addresses.contains(address) { names[address] = workload.name }
        }
        for address in hostAddresses where addresses.contains(address) && names[address] == nil {
            names[address] = node
        }
        return names
    }

    /// Lets cookies answer for a listener from its next SYN on, or as configured again.
    ///
    /// What was loaded for that stays until the next start: cookies may be under way.
    func defend(_ demand: SynDemand, isOn: Bool) async throws(APIError) {
        if let synKeeper { return try await synKeeper.demand(demand, isOn: isOn) }
        guard isOn else { return }
        guard !configuration.isDryRun else { throw APIError(.refused, "a dry run defends nobody") }
        do {
            use(
                try SynKeeper(
                    configuration.shield, directory: PinDirectory(root: configuration.bpfDirectory),
                    demands: [demand], logger: logger))
        } catch {
            throw APIError(.commitFailed, "cannot defend listeners: \(error)")
        }
        await followListeners()
    }

    // MARK: - Quarantine

    /// Cuts off the workload that has an address, but for the networks named, by a policy of the history.
    ///
    /// Who has the same labels is cut off too: not more than `most` workloads altogether.
    func quarantine(_ address: IPAddress, allowing networks: [CIDR], most: Int, cause: String) async throws(APIError) {
        guard let workload = engine.input.workloads.values.first(where: { $0.addresses.contains(address) }) else {
            throw APIError(.notFound, "no workload has \(address)")
        }
        guard !workload.isHost else { throw APIError(.refused, "a host is not put in quarantine") }
        let labels = Quarantine.labels(of: workload.labels)
        guard !labels.isEmpty else {
            throw APIError(.refused, "\(workload.name) has no labels by which a policy could select it")
        }
        let all = engine.input.workloads.values.filter { other in
            !other.isHost
                && labels.allSatisfy { label in
                    other.labels.labels.contains { $0.key == label.key && $0.value == label.value }
                }
        }
        guard all.count <= most else {
            throw APIError(
                .refused,
                "\(all.count) workloads have the labels of \(workload.name), and all would be cut off: raise "
                    + "`response.quarantineWorkloads`, or give it a label of its own")
        }
        let document = Quarantine.document(address, labels, allowing: networks, cause: cause)
        _ = try await applyPolicies(
            [PolicyDocument(name: "<quarantine of \(workload.name)>", text: Array(document.utf8))],
            options: ChangeOptions(isLocal: true))
    }

    func liftQuarantine(_ address: IPAddress) async throws(APIError) {
        _ = try await deletePolicy(
            "GlobalNetworkPolicy/\(Quarantine.name(address))", options: ChangeOptions(isLocal: true))
    }
}

/// The policy that keeps a workload in quarantine.
enum Quarantine {
    static let tier = "bulkhead-quarantine"

    static func name(_ address: IPAddress) -> String {
        "\(tier).quarantine-" + "\(address)".map { $0.isHexDigit ? String($0) : "-" }.joined()
    }

    /// Labels by which a selector can mean the workload; others, whose texts would have to be quoted, select nothing.
    static func labels(of set: LabelSet) -> [Label] {
        func isPlain(_ text: String) -> Bool {
            !text.isEmpty && text.utf8.count <= 253
                && text.utf8.allSatisfy { byte in
                    (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                        || [0x2d, 0x2e, 0x2f, 0x5f].contains(byte)
                }
        }
        return set.labels.filter { label in
            label.source != LabelSource.reserved && label.key != WellKnownLabel.namespace && isPlain(label.key)
                && isPlain(label.value)
        }
    }

    /// A tier of its own is asked before every other, so that nothing else opens what it closes.
    static func document(_ address: IPAddress, _ labels: [Label], allowing networks: [CIDR], cause: String) -> String {
        let selector = labels.map { "\($0.key) == '\($0.value)'" }.joined(separator: " && ")
        let nets = networks.map { "\"\($0)\"" }.joined(separator: ", ")
        func rules(_ side: String) -> String {
            (networks.isEmpty ? "" : "    - action: Allow\n      \(side):\n        nets: [\(nets)]\n")
                + "    - action: Deny\n"
        }
        return """
            apiVersion: projectcalico.org/v3
            kind: Tier
            metadata:
              name: \(tier)
            spec:
              order: 0
            ---
            apiVersion: projectcalico.org/v3
            kind: GlobalNetworkPolicy
            metadata:
              name: \(name(address))
            spec:
              tier: \(tier)
              order: 0
              selector: "\(selector)"
              types: [Ingress, Egress]
              ingress:
            \(rules("source"))  egress:
            \(rules("destination"))
            """
    }
}

/// What resolv.conf(5) says.
enum ResolverFile {
    static func servers(at path: String) -> Set<IPAddress> {
        guard let text = try? readTextFile(path) else { return [] }
        return servers(text)
    }

    static func servers(_ text: String) -> Set<IPAddress> {
        Set(
            text.split(separator: "\n").compactMap { line in
                let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
                guard words.count >= 2, words[0] == "nameserver" else { return nil }
                return IPAddress(String(words[1].prefix { $0 != "%" }))
            })
    }
}
