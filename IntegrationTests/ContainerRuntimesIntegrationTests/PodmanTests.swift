// SPDX-License-Identifier: Apache-2.0

import ContainerRuntimes
import IdentityModel
import LinuxHost
import Logging
import NetworkModel
import TestBed
import Testing

/// Address range of the suites in this target.
private let subnet = 42

/// A podman with its service running, and a follower of it.
private struct PodmanBed {
    let podman: TestPodman
    let service: SpawnedProcess
    let follower: WorkloadFollower

    init(_ bed: TestBed) async throws {
        let host = try await bed.namespace("host", isForwarding: true)
        podman = try await bed.podman(in: host)
        service = try await podman.startService()
        follower = WorkloadFollower(
            ContainerEngine.podman(
                socketPath: podman.socketPath, host: host.reference, logger: Logger(label: "test")))
        let following = follower
        try await eventually("podman is followed") { following.status?.isConnected == true }
    }

    /// Index of the host's end of a container's link, asked of the kernel by other means.
    func hostIndex(of container: String, device: String = "eth0") async throws -> Int32? {
        let link = try await podman.run("exec", container, "cat", "/sys/class/net/\(device)/iflink")
        return Int32(link)
    }
}

@Suite(.serialized) struct PodmanTests {
    private let second = Duration.seconds(1)

    @Test(.timeLimit(.minutes(2))) func `a container is known with its link and addresses within a second`()
        async throws
    {
        try await withTestBed(subnet: subnet) { bed in
            let podman = try await PodmanBed(bed)
            try await podman.podman.runContainer(
                "web",
                labels: ["app": "web", "bulkhead.dev/namespace": "shop", "bulkhead.dev/ports": "http=80/tcp"])
            let web = try await podman.follower.workload("web", within: second) { !$0.interfaces.isEmpty }
            #expect(web.namespace == "shop")
            #expect(
                web.labels == [
                    Label(source: LabelSource.container, key: "app", value: "web"),
                    Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: "shop"),
                ])
            #expect(web.image == TestPodman.image)
            #expect(web.problem == nil)
            #expect(web.namedPorts == [NamedPort(name: "http", port: 80, transport: .tcp)])
            let interface = try #require(web.interfaces.first)
            #expect(interface.name == "eth0")
            #expect(interface.hostIndex == (try await podman.hostIndex(of: "web")))
            let address4 = try await podman.podman.run(
                "inspect", "-f", "{{.NetworkSettings.Networks.testnet.IPAddress}}", "web")
            let address6 = try await podman.podman.run(
                "inspect", "-f", "{{.NetworkSettings.Networks.testnet.GlobalIPv6Address}}", "web")
            #expect(interface.addresses.map(\.description) == [address4, address6])
            #expect(web.engineAddresses == interface.addresses)
        }
    }

    @Test(.timeLimit(.minutes(2))) func `stop, start, rename and removal are followed`() async throws {
        try await withTestBed(subnet: subnet) { bed in
            let podman = try await PodmanBed(bed)
            let id = try await podman.podman.runContainer("web")
            let first = try await podman.follower.workload("web")
            #expect(first.id == "podman:\(id)")

            try await podman.podman.run("rename", "web", "shop")
            let renamed = try await podman.follower.workload("shop", within: second)
            #expect(renamed.id == first.id)

            try await podman.podman.run("stop", "-t", "0", "shop")
            try await eventually("a stopped container is no workload", within: second) { podman.follower.all.isEmpty }

            try await podman.podman.run("start", "shop")
            let again = try await podman.follower.workload("shop", within: second) { !$0.interfaces.isEmpty }
            #expect(again.id == first.id)
            #expect(again.pid != first.pid)
            #expect(again.interfaces.first?.hostIndex == (try await podman.hostIndex(of: "shop")))

            try await podman.podman.run("restart", "-t", "0", "shop")
            let index = try await podman.hostIndex(of: "shop")
            _ = try await podman.follower.workload("shop", within: second) { $0.interfaces.first?.hostIndex == index }

            try await podman.podman.run("rm", "-f", "-t", "0", "shop")
            try await eventually("a removed container is no workload", within: second) { podman.follower.all.isEmpty }
        }
    }

    @Test(.timeLimit(.minutes(2))) func `a second network and a new address are seen`() async throws {
        try await withTestBed(subnet: subnet) { bed in
            let podman = try await PodmanBed(bed)
            try await podman.podman.runContainer("web")
            try await podman.podman.run("network", "connect", "second", "web")
            let two = try await podman.follower.workload("web", within: second) { $0.interfaces.count == 2 }
            #expect(Set(two.interfaces.map(\.name)) == ["eth0", "eth1"])

            // No engine knows of this one: the namespace itself must be watched.
            let pid = try #require(two.pid)
            try await bed.shell("nsenter -t \(pid) -n ip address add 10.242.100.77/24 dev eth0")
            let added = try #require(IPAddress("10.242.100.77"))
            _ = try await podman.follower.workload("web", within: second) { workload in
                workload.interfaces.contains { $0.addresses.contains(added) }
            }
            try await podman.podman.run("network", "disconnect", "second", "web")
            _ = try await podman.follower.workload("web", within: second) { $0.interfaces.count == 1 }
        }
    }

    @Test(.timeLimit(.minutes(2))) func `containers with equal labels are two workloads`() async throws {
        try await withTestBed(subnet: subnet) { bed in
            let podman = try await PodmanBed(bed)
            try await podman.podman.runContainer("a", labels: ["app": "web"])
            try await podman.podman.runContainer("b", labels: ["app": "web"])
            let (a, b) = (try await podman.follower.workload("a"), try await podman.follower.workload("b"))
            #expect(a.labels == b.labels)
            #expect(a.id != b.id)
            #expect(a.networkNamespaceInode != b.networkNamespaceInode)
        }
    }

    @Test(.timeLimit(.minutes(2))) func `a pod is one workload with the labels of all`() async throws {
        try await withTestBed(subnet: subnet) { bed in
            let podman = try await PodmanBed(bed)
            let pod = try await podman.podman.run(
                "pod", "create", "--name", "shop", "--label", "tier=pod", "--network", "testnet")
            try await podman.podman.run(
                "run", "-d", "--pod", "shop", "--name", "inner", "--label", "app=inner", TestPodman.image)
            let workload = try await podman.follower.workload("shop") { workload in
                workload.labels.contains { $0.key == "app" }
            }
            #expect(workload.id == "podman:\(pod)")
            #expect(workload.labels.contains(Label(source: LabelSource.container, key: "tier", value: "pod")))
            #expect(workload.interfaces.count == 1)
            #expect(podman.follower.all.count == 1)
        }
    }

    @Test(.timeLimit(.minutes(2))) func `a container that joins another's network is the same workload`() async throws {
        try await withTestBed(subnet: subnet) { bed in
            let podman = try await PodmanBed(bed)
            let owner = try await podman.podman.runContainer("owner", labels: ["app": "owner", "role": "a"])
            try await podman.podman.runContainer(
                "sidecar", labels: ["app": "sidecar", "extra": "b"], network: "container:owner")
            let workload = try await podman.follower.workload("owner") { workload in
                workload.labels.contains { $0.key == "extra" }
            }
            #expect(workload.id == "podman:\(owner)")
            #expect(workload.labels.first { $0.key == "app" }?.value == "owner")
            #expect(podman.follower.all.count == 1)
        }
    }

    @Test(.timeLimit(.minutes(2))) func `what cannot be policed says why`() async throws {
        try await withTestBed(subnet: subnet) { bed in
            let podman = try await PodmanBed(bed)
            try await podman.podman.runContainer("hostnet", network: "host")
            try await podman.podman.runContainer("nonet", network: "none")
            let host = try await podman.follower.workload("hostnet")
            #expect(host.problem?.contains("host's network") == true)
            let none = try await podman.follower.workload("nonet")
            #expect(none.problem?.contains("no network interface") == true)
        }
    }

    @Test(.timeLimit(.minutes(2))) func `a service that dies and returns is picked up with what happened meanwhile`()
        async throws
    {
        try await withTestBed(subnet: subnet) { bed in
            let podman = try await PodmanBed(bed)
            try await podman.podman.runContainer("stays")
            try await podman.podman.runContainer("goes")
            _ = try await podman.follower.workload("goes")
            let snapshots = podman.follower.snapshots

            await podman.service.kill()
            try await eventually("the interruption is reported", within: second) {
                podman.follower.status?.isConnected == false
            }
            #expect(podman.follower.all.count == 2)
            try await podman.podman.run("rm", "-f", "-t", "0", "goes")
            try await podman.podman.runContainer("comes")
            _ = try await podman.podman.startService()
            _ = try await podman.follower.workload("comes", within: .seconds(3))
            #expect(podman.follower.named("goes") == nil)
            #expect(podman.follower.named("stays") != nil)
            #expect(podman.follower.snapshots > snapshots)
        }
    }

    @Test(.timeLimit(.minutes(2))) func `a socket that is not there yet is waited for`() async throws {
        try await withTestBed(subnet: subnet) { bed in
            let host = try await bed.namespace("host")
            let podman = try await bed.podman(in: host)
            let follower = WorkloadFollower(
                ContainerEngine.podman(
                    socketPath: podman.socketPath, host: host.reference, logger: Logger(label: "test")))
            try await eventually("the absence is reported") {
                follower.status?.message.contains("does not exist") == true
            }
            try await podman.runContainer("web")
            _ = try await podman.startService()
            _ = try await follower.workload("web", within: .seconds(3))
        }
    }
}
