// SPDX-License-Identifier: Apache-2.0

import ContainerRuntimes
import IdentityModel
import LinuxHost
import Logging
import NetworkModel
import TestBed
import Testing

/// Address range of this suite.
private let subnet = 43

@Suite(.serialized) struct DockerTests {
    /// One daemon for all: it takes seconds to start.
    @Test(.timeLimit(.minutes(3))) func `the life of containers is followed, through a daemon that dies and returns`()
        async throws
    {
        try await withTestBed(subnet: subnet) { bed in
            let host = try await bed.namespace("host", isForwarding: true)
            let (docker, daemon) = try await bed.docker(in: host)
            let follower = WorkloadFollower(
                ContainerEngine.docker(
                    socketPath: docker.socketPath, host: host.reference, logger: Logger(label: "test")))
            try await eventually("docker is followed") { follower.status?.isConnected == true }

            let id = try await docker.runContainer("web", labels: ["app": "web", "bulkhead.dev/namespace": "shop"])
            let web = try await follower.workload("web", within: .seconds(3)) { !$0.interfaces.isEmpty }
            #expect(web.id == "docker:\(id)")
            #expect(web.namespace == "shop")
            #expect(web.labels.contains(Label(source: LabelSource.container, key: "app", value: "web")))
            #expect(web.image == TestDocker.image)
            let address = try await docker.run(
                "inspect", "-f", "{{.NetworkSettings.Networks.bridge.IPAddress}}", "web")
            let interface = try #require(web.interfaces.first)
            #expect(interface.addresses.map(\.description) == [address])
            #expect(web.engineAddresses == interface.addresses)
            let link = try await docker.run("exec", "web", "cat", "/sys/class/net/eth0/iflink")
            #expect(interface.hostIndex == Int32(link))

            try await docker.run("network", "create", "second")
            try await docker.run("network", "connect", "second", "web")
            _ = try await follower.workload("web", within: .seconds(3)) { $0.interfaces.count == 2 }
            try await docker.run("rename", "web", "shop")
            _ = try await follower.workload("shop", within: .seconds(3))
            try await docker.runContainer("side", labels: ["extra": "b"], network: "container:shop")
            _ = try await follower.workload("shop") { workload in workload.labels.contains { $0.key == "extra" } }
            try await docker.run("rm", "-f", "side")
            try await docker.runContainer("hostnet", network: "host")
            let hostnet = try await follower.workload("hostnet")
            #expect(hostnet.problem?.contains("host's network") == true)
            try await docker.run("restart", "-t", "0", "shop")
            let pid = try await docker.run("inspect", "-f", "{{.State.Pid}}", "shop")
            _ = try await follower.workload("shop", within: .seconds(3)) {
                $0.pid == Int32(pid) && $0.interfaces.count == 2
            }

            await daemon.stop(within: .seconds(20))
            try await eventually("the interruption is reported") { follower.status?.isConnected == false }
            _ = try await docker.startDaemon()
            // Without live-restore the daemon takes its containers down with it.
            try await eventually("everything is read anew", within: .seconds(5)) {
                follower.status?.isConnected == true && follower.all.isEmpty
            }
        }
    }
}
