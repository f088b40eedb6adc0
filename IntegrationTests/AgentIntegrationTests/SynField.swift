// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed

/// A host with a workload behind it, a client outside, and ways back for the answers to made-up sources.
struct SynField {
    let host: HostBed
    let workload: TestWorkload
    let hardwareAddress: [UInt8]

    init(_ bed: TestBed, _ synDefence: String, policy: String? = nil, mode: String = "off") async throws {
        let section =
            synDefence.isEmpty ? "" : "shield: {mode: '\(mode)', devices: [up0], synDefence: \(synDefence)}"
        host = try await HostBed(bed, more: section)
        workload = try await host.host.addWorkload("web", number: 11)
        try workload.startNginx(page: "the workload")
        try host.agent.writeWorkloads(
            text: "workloads: [{name: web, netns: \(workload.namespace.path), labels: {app: web}}]\n")
        let router = host.clientAddresses
        try await bed.ipBatch(
            host.host.namespace,
            ["route add 198.18.0.0/15 via \(router[0])", "route add fdbb:bad::/64 via \(router[1])"])
        for namespace in [host.host.namespace, workload.namespace] {
            try await namespace.shell("echo 1 > /proc/sys/net/ipv4/tcp_no_metrics_save")
        }
        hardwareAddress = try await SynField.hardwareAddress(of: "up0", in: host.host.namespace)
        if let policy { try host.agent.writePolicy("web.yaml", policy) }
    }

    static func hardwareAddress(of interface: String, in namespace: TestNamespace) async throws -> [UInt8] {
        let link = try await namespace.shell("ip -o link show \(interface)").text
        let text = link.split(separator: " ").drop { $0 != "link/ether" }.dropFirst().first ?? ""
        return text.split(separator: ":").compactMap { UInt8($0, radix: 16) }
    }

    /// Starts the agent and waits until the programs are where the listeners are.
    func start(places: Set<String> = ["up0", "web"]) async throws -> SpawnedProcess {
        let agent = try await host.startAgent()
        try await eventually("listeners are defended", within: .seconds(20)) {
            let found = try await host.control.shieldReport().synDefence?.places ?? []
            return Set(found.filter { $0.problem == nil }.map(\.name)).isSuperset(of: places)
        }
        return agent
    }

    func flood(_ address: String, port: UInt16 = 80) -> SynFlood {
        SynFlood(
            target: networkBytes(address), port: port, hardwareAddress: hardwareAddress, interface: "eth0")
    }

    /// Users while a flood of so many a second goes on.
    func visit(
        _ address: String, port: UInt16 = 80, flooded rate: Int?, for duration: Duration = .seconds(3),
        pause: Duration = .milliseconds(15)
    ) async throws -> (Served, sent: Int) {
        let users = WebUsers(address: address, port: port)
        if rate == 0 { return (try await users.visit(from: host.client, for: duration, pause: pause), 0) }
        async let sent = flood(address, port: port).send(
            from: host.client, rate: rate, for: duration + .milliseconds(600))
        try await Task.sleep(for: .milliseconds(300))
        let served = try await users.visit(from: host.client, for: duration, pause: pause)
        return (served, try await sent)
    }
}
