// SPDX-License-Identifier: Apache-2.0

import AlertPipeline
import ControlAPI
import LinuxHost
import TestBed

/// A host with a workload behind it and attackers outside, each with an address of its own, and the alerts as they are told.
///
/// The agent senses on `up0` and enforces nothing.
struct DetectionField {
    let host: HostBed
    let workload: TestWorkload
    private let watching: SpawnedProcess

    /// One who is outside, on the link of the host's uplink.
    struct Attacker {
        let namespace: TestNamespace
        let address4: String
        let address6: String
    }

    /// `more`: of the section `shield`.
    init(_ bed: TestBed, more: String = "") async throws {
        let host = try await HostBed(bed, more: "shield: {mode: monitor, sensors: true, devices: [up0]\(more)}")
        self.host = host
        workload = try await host.host.addWorkload("web", number: 11)
        try workload.startNginx(page: "the workload")
        try host.agent.writeWorkloads(
            text: "workloads: [{name: web, netns: \(workload.namespace.path), labels: {app: web}}]\n")
        // Forged sources and places that do not exist are somewhere outside.
        let router = host.clientAddresses
        try await bed.ipBatch(
            host.host.namespace,
            ["198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"].map { "route add \($0) via \(router[0])" })
        try await bed.ipBatch(
            host.client, ["route add blackhole 198.18.0.0/15", "route add blackhole 198.51.100.0/24"])
        _ = try await host.startAgent()
        try await eventually("the uplink is sensed") {
            try await host.control.shieldReport().devices.contains { $0.name == "up0" && $0.hook != nil }
        }
        try await eventually("the workload is attached") {
            try await host.control.status().kernel.attachments.contains { $0.interface == "v11" }
        }
        watching = try host.host.namespace.start(
            [TestAgent.product("bulkhead"), "alerts", "watch", "-o", "json"],
            environment: ["BULKHEAD_SOCKET": host.agent.socketPath])
        // Its first answer is the stream's head: by then it is told everything.
        try await Task.sleep(for: .milliseconds(300))
    }

    /// Another attacker; `number`: 20...250, one for each.
    func attacker(_ number: Int) async throws -> Attacker {
        let namespace = try await host.bed.namespace("a\(number)")
        let range4 = prefix(host.clientAddresses[0], "."), range6 = prefix(host.clientAddresses[1], ":")
        let attacker = Attacker(
            namespace: namespace, address4: "\(range4)\(number)",
            // Sensors take an outside /64 for one source: here everybody is in the same.
            address6: "\(range6)\(String(number, radix: 16))")
        try await host.bed.shell(
            """
            ip -n \(host.client.name) link add link eth0 name m\(number) type macvlan mode bridge
            ip -n \(host.client.name) link set m\(number) netns \(namespace.name)
            """)
        try await host.bed.ipBatch(
            namespace,
            [
                "link set m\(number) up", "address add \(attacker.address4)/24 dev m\(number)",
                "address add \(attacker.address6)/64 dev m\(number) nodad",
                "route add default via \(host.hostAddresses[0])", "route add ::/0 via \(host.hostAddresses[1])",
            ])
        // Known before the attack: what is measured begins with a packet of the attack.
        let hardware = try await hardwareAddress
        try await host.bed.ipBatch(
            namespace, host.hostAddresses.map { "neigh add \($0) lladdr \(hardware) dev m\(number)" })
        return attacker
    }

    /// Of the host's uplink.
    var hardwareAddress: String {
        get async throws {
            let link = try await host.host.namespace.shell("ip -o link show up0").text
            return link.split(separator: " ").drop { $0 != "link/ether" }.dropFirst().first.map(String.init) ?? ""
        }
    }

    private func prefix(_ address: String, _ separator: Character) -> String {
        address.lastIndex(of: separator).map { String(address[...$0]) } ?? address
    }

    // MARK: - What is told

    /// Announcements of alerts so far, oldest first.
    var told: [AlertNoticeRecord] {
        watching.output.split(separator: "\n").compactMap { line in
            try? APICoding.decode(AlertNoticeRecord.self, from: Array(line.utf8))
        }
    }

    /// The first announcement of an alert of this detector that names this source; nil for a source: nobody is named.
    func opened(_ detector: String, source: String?, target: String? = nil) -> AlertNoticeRecord? {
        told.first { notice in
            notice.kind == .opened && notice.alert.detector == detector && notice.alert.source == source
                && (target == nil || notice.alert.target == target)
        }
    }

    /// Waits for it.
    func wait(
        for detector: String, source: String?, target: String? = nil, within limit: Duration
    ) async throws -> AlertNoticeRecord {
        try await eventuallySome("\(detector) of \(source ?? "nobody"); told: \(summaries)", within: limit) {
            opened(detector, source: source, target: target)
        }
    }

    /// For messages.
    var summaries: [String] {
        told.map { "\($0.kind) \($0.alert.detector) \($0.alert.source ?? "-") \($0.alert.summary)" }
    }

    /// The alerts as the command-line tool lists them.
    func listed() async throws -> [AlertRecord] {
        let text = try await host.agent.tool("alerts", "list", "-o", "json").checked().output
        return try APICoding.decode(AlertList.self, from: Array(text.utf8)).alerts
    }
}

/// A run of nmap and when its first packet left.
struct NmapRun {
    let process: SpawnedProcess
    private let begin: Double

    /// Without name resolution and discovery; `--packet-trace` says when packets leave.
    init(_ arguments: [String], from namespace: TestNamespace) throws {
        begin = secondsOfDay(Timestamp.now())
        process = try namespace.start(
            ["stdbuf", "-oL", "nmap", "-Pn", "-n", "--disable-arp-ping", "--packet-trace"] + arguments)
    }

    /// Seconds of the day; nil if nothing has been sent yet.
    var firstPacket: Double? {
        for line in process.output.split(separator: "\n") {
            guard line.hasPrefix("SENT (") || line.hasPrefix("CONN (") else { continue }
            return Double(line.dropFirst(6).prefix { $0 != "s" }).map { begin + $0 }
        }
        return nil
    }

    /// Seconds from the first packet to an announcement.
    func delay(of notice: AlertNoticeRecord) -> Double {
        guard let firstPacket else { return .infinity }
        return secondsSince(firstPacket, notice.time)
    }
}

/// Seconds of the day of `2026-11-22T12:00:00.25Z`.
func secondsOfDay(_ time: String) -> Double {
    let clock = time.drop { $0 != "T" }.dropFirst().prefix { $0 != "Z" && $0 != "+" }
    return clock.split(separator: ":").reduce(0) { $0 * 60 + (Double($1) ?? 0) }
}

/// Seconds between a time of the day and a later one, over midnight too.
func secondsSince(_ begin: Double, _ time: String) -> Double {
    let distance = secondsOfDay(time) - begin
    return distance < -43_200 ? distance + 86_400 : distance
}
