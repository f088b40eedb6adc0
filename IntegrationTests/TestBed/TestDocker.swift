// SPDX-License-Identifier: Apache-2.0

/// A Docker daemon of the test's own, with its containerd, storage and socket in the bed's directory.
///
/// Its only image is `busybox:1`; its networks are in the host's namespace.
package final class TestDocker: Sendable {
    package static let image = "busybox:1"

    package let host: TestNamespace
    package let socketPath: String
    private let directory: String

    init(host: TestNamespace, directory: String) {
        self.host = host
        self.directory = directory
        self.socketPath = "\(directory)/docker.sock"
    }

    /// Runs a docker command and checks its status.
    /// - Returns: its output, trimmed: often the container's id.
    @discardableResult
    package func run(_ arguments: String...) async throws -> String {
        let command = ["/usr/bin/docker", "-H", "unix://\(socketPath)"] + arguments
        return try await host.bed.run(command, within: .seconds(120)).checked().text
    }

    /// Starts a container of the busybox image that sleeps.
    /// - Returns: its id.
    @discardableResult
    package func runContainer(
        _ name: String, labels: [String: String] = [:], network: String = "bridge"
    ) async throws -> String {
        let options = labels.sorted { $0.key < $1.key }.flatMap { ["--label", "\($0.key)=\($0.value)"] }
        let command =
            ["/usr/bin/docker", "-H", "unix://\(socketPath)", "run", "-d", "--name", name, "--network", network]
            + options + [Self.image, "sleep", "100000"]
        return try await host.bed.run(command, within: .seconds(120)).checked().text
    }

    /// Starts the daemon and waits until it answers.
    package func startDaemon() async throws -> SpawnedProcess {
        let byte = host.bed.byte
        let daemon = try host.start([
            "dockerd", "--data-root", "\(directory)/data", "--exec-root", "\(directory)/exec",
            "-p", "\(directory)/docker.pid", "-H", "unix://\(socketPath)",
            "--containerd", "\(directory)/containerd.sock", "--bip", "10.\(byte).120.1/24",
            "--default-address-pool", "base=10.\(byte).128.0/17,size=24",
            "--default-ulimit", "nofile=1024:1024", "--ip-masq=false", "--userland-proxy=false",
            // Its firewall would cut what podman's bridge forwards.
            "--iptables=false",
        ])
        try await eventually("dockerd answers on \(socketPath)", within: .seconds(30)) {
            if daemon.exitStatus != nil { throw TestBedError("dockerd ended: \(daemon.errors.suffix(2000))") }
            let probe = ["curl", "-sf", "--unix-socket", socketPath, "http://d/_ping"]
            return try await host.bed.run(probe).status == 0
        }
        return daemon
    }
}

extension TestBed {
    /// Sets Docker up inside a namespace and imports the busybox image.
    /// - Returns: the engine and its running daemon.
    package func docker(in host: TestNamespace) async throws -> (engine: TestDocker, daemon: SpawnedProcess) {
        let directory = path("docker")
        try makeDirectory(directory)
        try writeFile(
            "\(directory)/containerd.toml", "version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n")
        let docker = TestDocker(host: host, directory: directory)
        // What the daemons mount stays when they are killed; so do their containers' shims, and what runs in those.
        try noteMountCleanup()
        try noteCleanup("for p in $(pgrep -f \(directory)/containerd.sock); do kill -9 $(pgrep -P $p) $p; done")
        _ = try host.start([
            "containerd", "--config", "\(directory)/containerd.toml", "--root", "\(directory)/containerd",
            "--state", "\(directory)/state", "--address", "\(directory)/containerd.sock",
        ])
        try await eventually("containerd listens", within: .seconds(20)) {
            try await run(["test", "-S", "\(directory)/containerd.sock"]).status == 0
        }
        let daemon = try await docker.startDaemon()
        try noteCleanup(
            "docker -H unix://\(docker.socketPath) ps -aq | xargs -r docker -H unix://\(docker.socketPath) rm -f")
        try await shell(
            """
            mkdir -p \(directory)/image/bin
            cp "$(command -v busybox)" \(directory)/image/bin/
            chroot \(directory)/image /bin/busybox --install -s /bin
            tar -C \(directory)/image -cf \(directory)/image.tar .
            """)
        try await docker.run("import", "\(directory)/image.tar", TestDocker.image)
        return (docker, daemon)
    }
}
