// SPDX-License-Identifier: Apache-2.0

/// A containerd of the test's own with its CRI, in the bed's directory and in a namespace; pods on one network.
package final class TestContainerd: Sendable {
    private let host: TestNamespace
    private let directory: String

    private var socketPath: String { "\(directory)/c.sock" }

    fileprivate init(host: TestNamespace, directory: String) {
        self.host = host
        self.directory = directory
    }

    /// Runs a pod with one container of the busybox image.
    /// - Returns: the ids of the pod and of the container.
    package func run(_ name: String, command: [String]) async throws -> (pod: String, container: String) {
        let ids = try await call(["run", name, TestPodman.image] + command).checked().text.split(separator: " ")
        guard ids.count == 2 else { throw TestBedError("no ids of \(name)") }
        return (String(ids[0]), String(ids[1]))
    }

    /// Runs a command in a container; the status is the command's.
    package func exec(_ container: String, _ command: [String]) async throws -> CommandResult {
        try await call(["exec", container] + command)
    }

    package func remove(_ pod: String) async throws { try await call(["remove", pod]).checked() }

    private func call(_ words: [String]) async throws -> CommandResult {
        // The distribution's own interpreter has the distribution's packages.
        try await host.run(
            ["/usr/bin/python3", "\(directory)/cri.py", socketPath] + words, within: .seconds(120))
    }

    /// Starts the daemon and imports an image from an OCI archive.
    fileprivate func start(image archive: String) async throws -> SpawnedProcess {
        let daemon = try host.bed.start(host.command(["containerd", "-c", "\(directory)/config.toml"]))
        let ctr = ["ctr", "-a", socketPath, "-n", "k8s.io"]
        try await eventually("containerd answers", within: .seconds(60)) {
            if let status = daemon.exitStatus {
                throw TestBedError("containerd ended with status \(status): \(daemon.errors)")
            }
            return try await host.bed.run(ctr + ["version"]).status == 0
        }
        let importing = ctr + ["images", "import", "--index-name", TestPodman.image, archive]
        try await host.bed.run(importing, within: .seconds(120)).checked()
        return daemon
    }

    fileprivate static func configuration(_ directory: String) -> String {
        """
        version = 2
        root = "\(directory)/root"
        state = "\(directory)/state"
        disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.zfs",
          "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper"]
        [grpc]
          address = "\(directory)/c.sock"
        [plugins."io.containerd.grpc.v1.cri"]
          restrict_oom_score_adj = true
          disable_apparmor = true
          sandbox_image = "\(TestPodman.image)"
          [plugins."io.containerd.grpc.v1.cri".cni]
            bin_dir = "\(directory)/bin"
            conf_dir = "\(directory)/net.d"

        """
    }

    /// The few calls of the CRI that are needed, their messages by field numbers: no client is packaged.
    fileprivate static let client = """
        import grpc, sys
        def varint(n):
            out = b""
            while n > 127: out += bytes([n & 127 | 128]); n >>= 7
            return out + bytes([n])
        def field(number, value):
            if isinstance(value, int): return varint(number << 3) + varint(value)
            if isinstance(value, str): value = value.encode()
            return varint(number << 3 | 2) + varint(len(value)) + value
        def fields(data):
            found, place = {}, 0
            def number():
                nonlocal place
                value = shift = 0
                while True:
                    byte = data[place]; place += 1
                    value |= (byte & 127) << shift; shift += 7
                    if byte < 128: return value
            while place < len(data):
                tag = number()
                if tag & 7 == 0: value = number()
                else: size = number(); value = data[place:place + size]; place += size
                found[tag >> 3] = value
            return found
        socket, verb, *words = sys.argv[1:]
        channel = grpc.insecure_channel("unix:" + socket)
        def call(method, request):
            stub = channel.unary_unary("/runtime.v1.RuntimeService/" + method, lambda x: x, lambda x: x)
            return fields(stub(request, timeout=100))
        def sandbox(name):
            metadata = field(1, name) + field(2, "uid-" + name) + field(3, "shop")
            return field(1, metadata) + field(6, field(1, "app") + field(2, name)) + field(8, b"")
        if verb == "run":
            name, image, *command = words
            pod = call("RunPodSandbox", field(1, sandbox(name)))[1].decode()
            config = field(1, field(1, "main")) + field(2, field(1, image)) + b"".join(field(3, word) for word in command)
            request = field(1, pod) + field(2, config) + field(3, sandbox(name))
            container = call("CreateContainer", request)[1].decode()
            call("StartContainer", field(1, container))
            print(pod, container)
        elif verb == "exec":
            request = field(1, words[0]) + b"".join(field(2, word) for word in words[1:]) + field(3, 60)
            answer = call("ExecSync", request)
            sys.stdout.write(answer.get(1, b"").decode())
            sys.exit(answer.get(3, 0))
        elif verb == "remove":
            call("StopPodSandbox", field(1, words[0]))
            call("RemovePodSandbox", field(1, words[0]))

        """
}

extension TestBed {
    /// Starts containerd inside a namespace, with the image of a podman and a network of one list of plugins.
    package func containerd(
        in host: TestNamespace, image podman: TestPodman, network list: String
    ) async throws -> (engine: TestContainerd, daemon: SpawnedProcess) {
        let directory = path("containerd")
        for name in ["", "/bin", "/net.d"] { try makeDirectory(directory + name) }
        try writeFile("\(directory)/config.toml", TestContainerd.configuration(directory))
        try writeFile("\(directory)/cri.py", TestContainerd.client)
        try writeFile("\(directory)/net.d/10-podnet.conflist", list)
        try await shell(
            "ln -s /usr/lib/cni/* \(directory)/bin/; ln -sf \(TestAgent.product("bulkhead-cni")) \(directory)/bin/")
        try noteMountCleanup()
        try noteCleanup("find /sys/fs/cgroup -depth -type d -path '*/k8s.io*' -exec rmdir {} + 2>/dev/null")
        // Shims outlive their daemon; each names its socket's directory on its command line.
        try noteCleanup(
            "for p in $(ps -eo pid,args | awk '/containerd-shim/ && index($0, \"\(directory)/\") {print $1}'); "
                + "do kill -9 $(cat /proc/$p/task/$p/children) $p; done")
        let engine = TestContainerd(host: host, directory: directory)
        let archive = "\(directory)/image.tar"
        try await podman.run("save", "-q", "--format", "oci-archive", "-o", archive, TestPodman.image)
        return (engine, try await engine.start(image: archive))
    }
}
