// SPDX-License-Identifier: Apache-2.0

import CNIPlugin
import ControlAPI
import TestBed

/// A runtime in the small, that follows the specification: the reference plugin bridge and ours behind it, on a host with
/// the real agent and a server that no policy is about.
struct CNIField {
    let bed: TestBed
    let host: TestHost
    let agent: TestAgent
    let server: TestWorkload
    private let version: String
    /// Ours, in the list.
    private let settings: String

    var control: ControlClient { ControlClient(transport: SocketTransport(path: agent.socketPath)) }
    var pendingDirectory: String { "\(agent.directory)/state/cni-pending" }

    /// `settings`: of our plugin besides those that keep it to the bed.
    init(_ bed: TestBed, settings: String = "\"workload\": \"attachment\"", version: String = "1.0.0") async throws {
        self.bed = bed
        self.version = version
        host = try await bed.host()
        agent = try await host.agent()
        server = try await host.addWorkload("srv", number: 2)
        try server.startEchoes()
        self.settings = """
            {"socket": "\(agent.socketPath)", "pendingDirectory": "\(agent.directory)/state/cni-pending", \(settings)}
            """
    }

    func startAgent() async throws -> SpawnedProcess {
        let process = try agent.start()
        try await eventually("the agent answers", within: .seconds(30)) {
            if let status = process.exitStatus {
                throw TestBedError("the agent ended with status \(status): \(process.errors)")
            }
            return (try? await control.status().condition) == .ready
        }
        return process
    }

    func enforce(_ policy: String) async throws {
        let before = try await control.policies().count
        try agent.writePolicy("policy.yaml", policy)
        // It is about nobody yet: no table changes.
        try await eventually("the policy is known", within: .seconds(20)) {
            try await control.policies().count > before
        }
    }

    // MARK: the list

    private var bridge: String {
        """
        {"type": "bridge", "bridge": "br0", "isGateway": false, "ipMasq": false, "ipam": {"type": "host-local",
         "dataDir": "\(bed.path("ipam"))", "routes": [{"dst": "0.0.0.0/0", "gw": "\(host.gateway4)"}],
         "ranges": [[{"subnet": "10.\(bed.byte).0.0/16", "rangeStart": "10.\(bed.byte).7.2",
           "gateway": "\(host.gateway4)"}]]}}
        """
    }

    private var ours: String { "{\"type\": \"bulkhead-cni\", \"bulkhead\": \(settings)}" }

    /// An entry of the list as a runtime hands it to a plugin.
    private func configuration(_ plugin: String, previous: JSONObject?, more: JSONObject) throws -> String {
        var object = try JSONValue(json: Array(plugin.utf8)).object ?? JSONObject()
        object["cniVersion"] = .string(version)
        object["name"] = .string("podnet")
        object["prevResult"] = previous.map { .object($0) }
        for member in more.members { object[member.key] = member.value }
        return JSONValue.object(object).text
    }

    /// One plugin, one command.
    private func call(
        _ binary: String, _ command: String, _ pod: CNIPod?, _ configuration: String
    ) async throws -> CommandResult {
        var environment = ["CNI_COMMAND": command, "CNI_PATH": "/usr/lib/cni"]
        if let pod {
            environment["CNI_CONTAINERID"] = pod.container
            environment["CNI_NETNS"] = pod.namespace.path
            environment["CNI_IFNAME"] = "eth0"
            environment["CNI_ARGS"] =
                "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=\(pod.name);K8S_POD_UID=uid-\(pod.name)"
        }
        return try await host.namespace.run(
            [binary], environment: environment, input: configuration, within: .seconds(120))
    }

    /// Our plugin alone.
    func plugin(
        _ command: String, _ pod: CNIPod? = nil, previous: JSONObject? = nil, more: JSONObject = [:]
    ) async throws -> CommandResult {
        try await call(
            TestAgent.product("bulkhead-cni"), command, pod, configuration(ours, previous: previous, more: more))
    }

    /// What the main plugin does, without ours.
    func addMain(_ pod: CNIPod) async throws -> JSONObject {
        let result = try await call(
            "/usr/lib/cni/bridge", "ADD", pod, configuration(bridge, previous: nil, more: [:]))
        return try JSONValue(json: Array(result.checked().output.utf8)).object ?? JSONObject()
    }

    func deleteMain(_ pod: CNIPod) async throws {
        try await call("/usr/lib/cni/bridge", "DEL", pod, configuration(bridge, previous: nil, more: [:])).checked()
    }

    /// ADD of the whole list.
    func add(_ pod: CNIPod) async throws -> CommandResult {
        try await plugin("ADD", pod, previous: addMain(pod))
    }

    /// DEL of the whole list, in the reverse order.
    func delete(_ pod: CNIPod) async throws {
        try await plugin("DEL", pod).checked()
        try await deleteMain(pod)
    }

    func pod(_ name: String) async throws -> CNIPod {
        CNIPod(name: name, container: "c0ffee-\(name)", namespace: try await bed.namespace(name))
    }

    /// Datagrams that reached the server's namespace so far, whoever they were for.
    func datagramsAtServer() async throws -> Int {
        let table = try await server.namespace.run(["cat", "/proc/net/snmp"]).checked().output
        let rows = table.split(separator: "\n").filter { $0.hasPrefix("Udp:") }.map { $0.split(separator: " ") }
        guard rows.count == 2 else { throw TestBedError("no counters of UDP: \(table)") }
        let counts = Dictionary(zip(rows[0], rows[1])) { first, _ in first }
        return ["InDatagrams", "NoPorts"].reduce(0) { $0 + (counts[Substring($1)].flatMap { Int($0) } ?? 0) }
    }

    /// Sends from the pod as fast as a shell can.
    func send(_ pod: CNIPod, datagrams: Int) async throws {
        let script = "for i in $(seq \(datagrams)); do echo x > /dev/udp/\(server.address4)/9; done 2>/dev/null || true"
        try await pod.namespace.run(["bash", "-c", script], within: .seconds(60))
    }

    /// What the pod sends arrives; neighbours that were looked for in vain are looked for again after a second.
    func expectArrival(of pod: CNIPod) async throws {
        let before = try await datagramsAtServer()
        try await eventually("datagrams arrive", within: .seconds(20)) {
            try await send(pod, datagrams: 10)
            return try await datagramsAtServer() > before
        }
    }

    func attachment(_ pod: CNIPod) async throws -> AttachmentRecord? {
        try await control.attachments().first { $0.containerID == pod.container }
    }
}

/// A container that a runtime is just making: a namespace, and no process inside.
struct CNIPod {
    let name: String
    let container: String
    let namespace: TestNamespace
}

extension CommandResult {
    /// The code of the specification that a plugin printed; nil: it printed none.
    var pluginCode: Int? { (try? JSONValue(json: Array(output.utf8)))?.object?["code"]?.integer }
}
