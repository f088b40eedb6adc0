// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import LinuxHost
import TestBed
import Testing

/// As many workloads as a large host has, all live.
@Suite(.serialized) struct ScaleTests {
    private static let count = 500

    @Test(.timeLimit(.minutes(3)))
    func `500 namespaces are found, policed, adopted and forgotten`() async throws {
        try await withTestBed(subnet: 62) { bed in
            let host = try await bed.host()
            let agent = try await host.agent()
            let crowd = try await Crowd(host, count: Self.count)
            let control = ControlClient(transport: SocketTransport(path: agent.socketPath))
            try agent.writePolicy("policy.yaml", Crowd.policy)
            try agent.writeWorkloads(text: crowd.workloads)

            let (first, found) = try await timed { try await startAndWait(agent, control, Self.count) }
            let endpoints = try await control.endpoints()
            #expect(endpoints.allSatisfy { $0.identity >= 256 && $0.condition == .enforced && $0.addresses.count >= 2 })
            // All but the last two have labels of their own.
            #expect(Set(endpoints.map(\.identity)).count == Self.count - 1)
            #expect(try await control.identities().filter { $0.endpoints.count == 2 }.count == 1)
            let table = try await agent.tool("endpoint", "list").output
            #expect(table.split(separator: "\n").filter { $0.contains(" w") }.count == Self.count)
            #expect(try await crowd.canPing(from: 1, to: 0))
            #expect(try await !crowd.canPing(from: 2, to: 0))
            let memory = try residentKilobytes(first.pid)
            let limit = try openFileLimit(first.pid)
            #expect(limit.soft == limit.hard)

            await first.kill()
            #expect(try await !crowd.canPing(from: 2, to: 0), "enforced without an agent")
            let (second, adopted) = try await timed { try await startAndWait(agent, control, Self.count) }
            let again = try await control.endpoints()
            #expect(
                Dictionary(uniqueKeysWithValues: again.map { ($0.name, [UInt32($0.id), $0.identity]) })
                    == Dictionary(uniqueKeysWithValues: endpoints.map { ($0.name, [UInt32($0.id), $0.identity]) }))

            // One among many is followed without a look at all others; a busy machine takes its time for either.
            try await crowd.changeAddress(of: 7)
            try await within(.seconds(5), "address of one of \(Self.count) changed") {
                try await control.endpoints().first { $0.name == "w7" }?.addresses.contains(crowd.newAddress) == true
            }

            let (_, forgotten) = try await timed {
                try await crowd.remove()
                try await eventually("all are let go", within: .seconds(30)) {
                    try await control.status().state.attachedEndpoints == 0
                }
                try agent.writeWorkloads(text: "workloads: []\n")
                for name in [MapName.policy, .endpoints, .subjects] {
                    try await eventually("nothing is left in \(name)", within: .seconds(30)) {
                        try await control.dump(name, limit: 1).rows.isEmpty
                    }
                }
            }
            let prefixes = try await control.dump(.ipcache, limit: 1000).rows
            #expect(prefixes.allSatisfy { $0[1] == "host" }, "\(prefixes.prefix(3))")
            let programs = try await host.namespace.run(["bpftool", "net", "show"]).output
            #expect(!programs.contains("endpoint"))
            #expect(second.exitStatus == nil)
            print(
                "\(Self.count) namespaces: found and attached in \(found), adopted in \(adopted), forgotten in "
                    + "\(forgotten); resident memory \(memory.all) kB, its own \(memory.own) kB")
        }
    }

    private func timed<Value>(_ body: () async throws -> Value) async throws -> (Value, String) {
        let clock = ContinuousClock()
        let begin = clock.now
        let value = try await body()
        let took = clock.now - begin
        return (value, "\(took.components.seconds * 1000 + took.components.attoseconds / 1_000_000_000_000_000) ms")
    }

    /// Starts the agent and waits until so many endpoints are attached and their addresses known.
    private func startAndWait(_ agent: TestAgent, _ control: ControlClient, _ count: Int) async throws -> SpawnedProcess
    {
        let process = try agent.start()
        var isAnswering = false
        try await eventually("\(count) endpoints are attached", within: .seconds(60)) {
            if let status = process.exitStatus {
                throw TestBedError("the agent ended with status \(status): \(process.errors)")
            }
            let clock = ContinuousClock()
            let asked = clock.now
            let attached = try await control.status().state.attachedEndpoints
            if isAnswering { #expect(clock.now - asked < .seconds(5), "with \(attached) attached") }
            isAnswering = true
            return attached == count
        }
        return process
    }
}

/// Many small workloads on one bridge: made in a few batches.
private struct Crowd {
    let host: TestHost
    let count: Int
    private let prefix: String

    init(_ host: TestHost, count: Int) async throws {
        self.host = host
        self.count = count
        prefix = host.bed.name("w")
        let bed = host.bed
        try bed.noteCleanup("for i in $(seq 0 \(count - 1)); do echo netns del \(prefix)$i; done | ip -force -batch -")
        let all = 0..<count
        try await bed.run(
            ["ip", "-batch", "-"], input: all.map { "netns add \(prefix)\($0)\n" }.joined()
        ).checked()
        let name = host.namespace.name
        let links = all.map { "link add v\($0) netns \(name) type veth peer name eth0 netns \(prefix)\($0)" }
        try await bed.run(["ip", "-batch", "-"], input: links.joined(separator: "\n") + "\n").checked()
        try await bed.ipBatch(host.namespace, all.map { "link set v\($0) master br0 up" })
        // One process for each namespace, four at a time.
        try await bed.run(
            [
                "xargs", "-P", "4", "-n", "3", "sh", "-c",
                "printf 'link set lo up\\naddress add %s/16 dev eth0\\naddress add %s/64 dev eth0 nodad\\n"
                    + "link set eth0 up\\n' \"$1\" \"$2\" | ip -n \"$0\" -batch -",
            ],
            input: all.map { "\(prefix)\($0) \(address4($0)) \(address6($0))\n" }.joined()
        ).checked()
    }

    func address4(_ number: Int) -> String { "10.\(host.bed.byte).\(1 + number >> 8).\(number & 255)" }
    func address6(_ number: Int) -> String { "fdbb:\(host.bed.subnet)::1:\(String(number, radix: 16))" }

    /// Not in use at first.
    var newAddress: String { "10.\(host.bed.byte).77.7" }

    func remove() async throws {
        try await host.bed.run(
            ["ip", "-batch", "-"], input: (0..<count).map { "netns del \(prefix)\($0)\n" }.joined()
        ).checked()
    }

    func changeAddress(of number: Int) async throws {
        try await host.bed.shell("ip -n \(prefix)\(number) address add \(newAddress)/16 dev eth0")
    }

    func canPing(from source: Int, to target: Int) async throws -> Bool {
        for address in [address4(target), address6(target)] {
            let ping = ["ip", "netns", "exec", "\(prefix)\(source)", "ping", "-n", "-c", "1", "-W", "1", address]
            guard try await host.bed.run(ping, within: .seconds(5)).status == 0 else { return false }
        }
        return true
    }

    /// Each has labels of its own, but for the last two.
    var workloads: String {
        "workloads:\n"
            + (0..<count).map { number in
                let label = min(number, count - 2)
                return "  - {name: w\(number), namespace: crowd, labels: {app: a\(label)}, netns: \(prefix)\(number)}\n"
            }.joined()
    }

    /// Everybody may be spoken to by `a1` only.
    static let policy = """
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: crowd, namespace: crowd}
        spec:
          podSelector: {}
          policyTypes: [Ingress]
          ingress:
            - from: [{podSelector: {matchLabels: {app: a1}}}]

        """
}

/// Resident memory of a process, with and without what it maps of files and of the kernel's tables.
private func residentKilobytes(_ pid: Int32) throws -> (all: Int, own: Int) {
    let status = try readTextFile("/proc/\(pid)/status")
    func field(_ name: String) -> Int {
        let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") } ?? ""
        return line.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }.first ?? 0
    }
    return (field("VmRSS"), field("RssAnon"))
}

private func openFileLimit(_ pid: Int32) throws -> (soft: Int?, hard: Int?) {
    let limits = try readTextFile("/proc/\(pid)/limits")
    let line = limits.split(separator: "\n").first { $0.hasPrefix("Max open files") } ?? ""
    let numbers = line.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
    return (numbers.first, numbers.last)
}
