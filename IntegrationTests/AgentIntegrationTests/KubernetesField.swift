// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import LinuxHost
import TestBed

/// A node of a cluster: the real agent, pods in namespaces with the cgroups that a kubelet would make, and a double of the
/// API server in the node's own namespace.
struct KubernetesField {
    static let node = "n1"
    private static let port = 16443

    let bed: TestBed
    let host: TestHost
    let agent: TestAgent
    let cgroupRoot: String
    let api: SpawnedProcess
    let kubeconfig: String
    private let url: String

    var control: ControlClient { ControlClient(transport: SocketTransport(path: agent.socketPath)) }

    /// Where verdicts are logged.
    var policyLogPath: String { bed.path("policy.log") }

    /// The agent is not started.
    ///
    /// `tls`: the API shows a certificate of an authority of its own. `settings`: more of `kubernetes` in the configuration.
    init(_ bed: TestBed, tls: Bool = false, settings: String = "") async throws {
        self.bed = bed
        url = "\(tls ? "https" : "http")://127.0.0.1:\(Self.port)"
        host = try await bed.host()
        guard let hierarchy = try CgroupRoot.find() else { throw TestBedError("no cgroup2 is mounted") }
        let root = "\(hierarchy)/\(bed.prefix)"
        cgroupRoot = root
        try bed.noteCleanup("find \(root) -depth -type d -exec rmdir {} +")
        try await bed.shell("mkdir -p \(root)/kubepods/burstable")
        kubeconfig = bed.path("kubeconfig")
        agent = try await host.agent(
            configuration: """
                nodeName: \(Self.node)
                kubernetes: {kubeconfig: \(kubeconfig), cgroupRoot: \(root)\(settings.isEmpty ? "" : ", \(settings)")}
                policyLog: {path: \(bed.path("policy.log"))}
                """)
        api = try host.namespace.start(
            [
                TestAgent.product("kubernetes-double"), "--port", "\(Self.port)", "--bookmark-milliseconds", "200",
                "--kubeconfig", kubeconfig,
            ] + (tls ? ["--tls"] : []))
        try await put("namespaces/shop", #"{"metadata":{"labels":{"team":"a","kubernetes.io/metadata.name":"shop"}}}"#)
        try await put("namespaces/lab", #"{"metadata":{"labels":{"team":"b"}}}"#)
    }

    /// Puts an object into the API, whole with its status; `path`: below `/api/v1` unless it begins with `/`.
    func put(_ path: String, _ object: String) async throws {
        try await eventually("the API takes \(path)") {
            try await command("PUT", "objects\(target(path))", object).status == 0
        }
    }

    func remove(_ path: String) async throws { try await command("DELETE", "objects\(target(path))").checked() }

    /// Whether the API has an object.
    func exists(_ path: String) async throws -> Bool {
        try await host.namespace.run(["curl", "-skf", "-m", "5", "-o", "/dev/null", "\(url)\(target(path))"]).status
            == 0
    }

    /// An object of the API, or a list; nil: there is none.
    func get(_ path: String) async throws -> String? {
        let result = try await host.namespace.run(["curl", "-skf", "-m", "5", "\(url)\(target(path))"])
        return result.status == 0 ? result.output : nil
    }

    /// Makes something go wrong; `fault`: as the double's control endpoint is told it.
    func fail(_ fault: String) async throws { try await command("POST", "faults", fault).checked() }

    func clearFaults() async throws { try await command("DELETE", "faults").checked() }

    /// What the double can do, by name: `break-connections`, `rotate-certificate?seconds=-60`.
    func act(_ action: String) async throws { try await command("POST", action).checked() }

    @discardableResult
    private func command(_ method: String, _ path: String, _ body: String = "") async throws -> CommandResult {
        try await host.namespace.run(
            ["curl", "-skf", "-m", "5", "-X", method, "--data-binary", "@-", "\(url)/_double/\(path)"], input: body)
    }

    private func target(_ path: String) -> String { path.hasPrefix("/") ? path : "/api/v1/\(path)" }

    /// Tells the API of a pod.
    func announce(
        _ workload: TestWorkload, _ name: String, number: Int, namespace: String = "shop", node: String = Self.node,
        phase: String = "Running"
    ) async throws {
        try await put(
            "namespaces/\(namespace)/pods/\(name)",
            """
            {"metadata":{"uid":"\(Self.uid(number))","labels":{"app":"\(name)"}},
             "spec":{"nodeName":"\(node)","containers":[{"name":"c","ports":[{"name":"web","containerPort":80}]}]},
             "status":{"phase":"\(phase)","podIP":"\(workload.address4)","podIPs":[{"ip":"\(workload.address4)"},{"ip":"\(workload.address6)"}]}}
            """)
    }

    /// Runs a process in the pod's namespace and in the cgroup that the kubelet would make.
    @discardableResult
    func run(_ workload: TestWorkload, number: Int) async throws -> SpawnedProcess {
        let container = "\(cgroupRoot)/kubepods/burstable/pod\(Self.uid(number))/c1"
        let process = try workload.namespace.start(["sleep", "3600"])
        // Only once it is inside: before, it is in the namespace of whoever started it.
        try await eventually("the pod's process is inside") {
            try NetworkNamespace.process(process.pid).inode() == workload.namespace.reference.inode()
        }
        try await bed.shell("mkdir -p \(container) && echo \(process.pid) > \(container)/cgroup.procs")
        return process
    }

    private static func uid(_ number: Int) -> String {
        let text = String(number)
        return "00000000-0000-4000-8000-" + String(repeating: "0", count: 12 - text.count) + text
    }

    /// Lets pods with this label, and nobody else, reach the web port of the server, by its name.
    func allow(_ app: String, namespaceLabel: String? = nil) async throws {
        let namespaces = namespaceLabel.map { #""namespaceSelector":{"matchLabels":{"team":"\#($0)"}},"# } ?? ""
        try await put(
            "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/server",
            """
            {"spec":{"podSelector":{"matchLabels":{"app":"server"}},"policyTypes":["Ingress"],"ingress":[{"from":
            [{\(namespaces)"podSelector":{"matchLabels":{"app":"\(app)"}}}],"ports":[{"port":"web"}]}]}}
            """)
    }

    func start() async throws -> SpawnedProcess {
        let process = try agent.start()
        try await eventually("the agent answers", within: .seconds(20)) {
            if let status = process.exitStatus {
                throw TestBedError("the agent ended with status \(status): \(process.errors)")
            }
            return (try? await control.status()) != nil
        }
        return process
    }

    /// Waits until so many endpoints are attached and the cluster is heard.
    func awaitAttached(_ count: Int, isConnected: Bool = true) async throws {
        try await eventually("\(count) pods are attached", within: .seconds(30)) {
            let report = try await control.status()
            return report.state.attachedEndpoints == count && report.cluster?.connected == isConnected
        }
    }
}
