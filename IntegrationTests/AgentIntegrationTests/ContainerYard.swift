// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed

/// The real agent beside engines with containers, in one host's namespace.
struct ContainerYard {
    let host: TestHost
    let podman: TestPodman
    /// Podman's REST service.
    let service: SpawnedProcess
    let docker: (engine: TestDocker, daemon: SpawnedProcess)?
    let agent: TestAgent

    var control: ControlClient { ControlClient(transport: SocketTransport(path: agent.socketPath)) }

    init(_ bed: TestBed, withDocker: Bool = false, configuration: String = "") async throws {
        host = try await bed.host(isBridged: false)
        podman = try await bed.podman(in: host.namespace)
        service = try await podman.startService()
        docker = withDocker ? try await bed.docker(in: host.namespace) : nil
        agent = try await host.agent(
            engines: TestAgent.Engines(podman: podman.socketPath, docker: docker?.engine.socketPath ?? ""),
            configuration: configuration)
    }

    /// Starts the agent and waits until so many containers are attached.
    @discardableResult
    func startAgent(expecting count: Int) async throws -> SpawnedProcess {
        let process = try agent.start()
        try await eventually("the agent has attached the containers", within: .seconds(20)) {
            if let status = process.exitStatus {
                throw TestBedError("the agent ended with status \(status): \(process.errors)")
            }
            return try await control.status().state.attachedEndpoints == count
        }
        return process
    }

    func enforce(_ policy: String) async throws {
        let before = try await control.status().state.generation
        try agent.writePolicy("policy.yaml", policy)
        try await eventually("the policy is in force", within: .seconds(5)) {
            try await control.status().state.generation > before
        }
    }

    func endpoint(_ name: String) async throws -> EndpointRecord? {
        try await control.endpoints().first { $0.name == name }
    }

    /// The IPv4 and the IPv6 address of a podman container, as podman knows them.
    func addresses(_ container: String) async throws -> [String] {
        let format =
            "{{.NetworkSettings.Networks.testnet.IPAddress}} {{.NetworkSettings.Networks.testnet.GlobalIPv6Address}}"
        return try await podman.run("inspect", "-f", format, container).split(separator: " ").map(String.init)
    }

    /// Index of the host's end of a container's link, asked of the kernel.
    func hostIndex(of container: String) async throws -> UInt32? {
        UInt32(try await podman.run("exec", container, "cat", "/sys/class/net/eth0/iflink"))
    }

    /// True if the web server answers a podman container within a second.
    func canReach(_ address: String, from container: String) async throws -> Bool {
        try await host.bed.run(podman.command(["exec", container] + fetch(address)), within: .seconds(10)).status == 0
    }

    /// Waits until the web server answers: duplicate address detection on a new link takes its time.
    func expectReach(_ address: String, from container: String) async throws {
        try await eventually("\(container) reaches \(address)", within: .seconds(5)) {
            try await canReach(address, from: container)
        }
    }

    /// True if the bridge answers a container under its link-local address.
    func pingsLinkLocal(from container: String) async throws -> Bool {
        let address = try await host.namespace.shell(
            "ip -6 -o address show dev cni0 scope link | sed 's/.*inet6 \\([^/]*\\).*/\\1/'"
        ).text
        let ping = ["exec", container, "ping", "-c", "1", "-W", "1", "\(address)%eth0"]
        return try await host.bed.run(podman.command(ping), within: .seconds(10)).status == 0
    }
}

extension TestDocker {
    /// True if the web server answers a container within a second.
    func canReach(_ address: String, from container: String) async throws -> Bool {
        let command = ["/usr/bin/docker", "-H", "unix://\(socketPath)", "exec", container] + fetch(address)
        return try await host.bed.run(command, within: .seconds(10)).status == 0
    }
}

/// busybox's wget, with a time limit for all of it.
private func fetch(_ address: String) -> [String] {
    let name = address.contains(":") ? "[\(address)]" : address
    return ["timeout", "-s", "KILL", "1", "wget", "-q", "-O", "/dev/null", "http://\(name)/"]
}
