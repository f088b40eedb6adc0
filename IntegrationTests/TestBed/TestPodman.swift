// SPDX-License-Identifier: Apache-2.0

/// A podman of the test's own: storage, networks and API socket in the bed's directory, network in a namespace.
///
/// Its only image is `localhost/busybox:1`; its network `testnet` is a bridge in the host's namespace.
package final class TestPodman: Sendable {
    package static let image = "localhost/busybox:1"

    package let host: TestNamespace
    /// The libpod REST socket, once `startService` ran.
    package let socketPath: String
    private let directory: String

    init(host: TestNamespace, directory: String) {
        self.host = host
        self.directory = directory
        self.socketPath = "\(directory)/podman.sock"
    }

    /// `podman` with the options that keep it to the bed.
    package func command(_ arguments: [String]) -> [String] {
        let options = [
            "podman", "--root", "\(directory)/root", "--runroot", "\(directory)/run", "--tmpdir", "\(directory)/tmp",
            "--cgroup-manager", "cgroupfs", "--events-backend", "file", "--runtime", "runc",
            "--network-config-dir", "\(directory)/networks",
        ]
        return host.command(["env", "CONTAINERS_CONF=\(directory)/containers.conf"] + options + arguments)
    }

    /// Runs a podman command and checks its status.
    /// - Returns: its output, trimmed: often the container's id.
    @discardableResult
    package func run(_ arguments: String...) async throws -> String {
        try await host.bed.run(command(arguments), within: .seconds(120)).checked().text
    }

    /// Starts a container of the busybox image that sleeps.
    /// - Returns: its id.
    @discardableResult
    package func runContainer(
        _ name: String, labels: [String: String] = [:], network: String = "testnet", extra: [String] = [],
        command: [String] = ["sleep", "100000"]
    ) async throws -> String {
        let labelOptions = labels.sorted { $0.key < $1.key }.flatMap { ["--label", "\($0.key)=\($0.value)"] }
        let arguments =
            ["run", "-d", "--name", name, "--network", network] + labelOptions + extra + [Self.image] + command
        return try await host.bed.run(self.command(arguments), within: .seconds(120)).checked().text
    }

    /// Starts the REST service and waits until it listens.
    package func startService() async throws -> SpawnedProcess {
        let process = try host.bed.start(command(["system", "service", "--time=0", "unix://\(socketPath)"]))
        try await eventually("podman listens on \(socketPath)") {
            let probe = ["curl", "-sf", "--unix-socket", socketPath, "http://d/v4.0.0/libpod/_ping"]
            return try await host.bed.run(probe).status == 0
        }
        return process
    }
}

extension TestBed {
    /// Sets podman up inside a namespace and imports the busybox image.
    /// - Parameters:
    ///   - block: third byte of the container network 10.N.<block>.0/24 (fdbb:n:<block>::/64).
    ///   - chained: an entry behind the others in the lists of plugins; its binary is a product of this build.
    package func podman(in host: TestNamespace, block: Int = 100, chained: String? = nil) async throws -> TestPodman {
        let podman = TestPodman(host: host, directory: path("podman"))
        for name in ["podman", "podman/networks", "podman/cni"] { try makeDirectory(path(name)) }
        try writeFile(path("podman/containers.conf"), Self.containersConf)
        try writeFile(
            path("podman/networks/testnet.conflist"), networkList("testnet", bridge: "cni0", block: block, chained))
        try writeFile(
            path("podman/networks/second.conflist"), networkList("second", bridge: "cni1", block: block + 1, chained))
        try noteMountCleanup()
        // What podman could not remove: each container's monitor, by the number it left, and the container below it. A
        // number may be another's by now: the monitor names its directory on its command line.
        try noteCleanup(
            """
            for f in $(find \(path("podman/run")) -name conmon.pid); do p=$(cat $f); \
            grep -q \(path("podman/")) /proc/$p/cmdline || continue; \
            kill -9 $(cat /proc/$p/task/$p/children) $p; done
            """)
        // Containers that others depend on go in the second round.
        let removal = podman.command(["rm", "-f", "-a", "-t", "0"]).joined(separator: " ")
        try noteCleanup("\(removal) || \(removal) || \(removal)")
        try noteCleanup(podman.command(["pod", "rm", "-f", "-a", "-t", "0"]).joined(separator: " "))
        try await importImage(podman)
        return podman
    }

    private func importImage(_ podman: TestPodman) async throws {
        let root = path("podman/image")
        try await shell(
            """
            mkdir -p \(root)/bin \(root)/etc \(root)/tmp \(root)/www
            cp "$(command -v busybox)" \(root)/bin/
            chroot \(root) /bin/busybox --install -s /bin
            echo hello > \(root)/www/index.html
            tar -C \(root) -cf \(path("podman/image.tar")) .
            """)
        try await podman.run(
            "import", "-q", "-c", "ENV PATH=/bin", "-c", "CMD [\"/bin/sleep\",\"100000\"]",
            path("podman/image.tar"), TestPodman.image)
    }

    /// The default limits of podman are above what a small machine's root may set.
    private static let containersConf = """
        [containers]
        default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
        [network]
        network_backend = "cni"
        cni_plugin_dirs = ["/usr/lib/cni", "\(TestAgent.productDirectory)"]
        [engine]
        infra_image = "\(TestPodman.image)"
        infra_command = "/bin/sleep 100000"

        """

    private func networkList(_ name: String, bridge: String, block: Int, _ chained: String?) -> String {
        let range4 = "10.\(byte).\(block)"
        let range6 = "fdbb:\(subnet):\(block):"
        return """
            {"cniVersion": "0.4.0", "name": "\(name)", "plugins": [{
                "type": "bridge", "bridge": "\(bridge)", "isGateway": true, "ipMasq": false, "hairpinMode": true,
                "ipam": {
                    "type": "host-local", "dataDir": "\(path("podman/cni"))",
                    "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
                    "ranges": [
                        [{"subnet": "\(range4).0/24", "gateway": "\(range4).1"}],
                        [{"subnet": "\(range6):/64", "gateway": "\(range6):1"}]
                    ]
                }
            }, {"type": "portmap", "capabilities": {"portMappings": true}}\(chained.map { ", \($0)" } ?? "")]}

            """
    }
}
