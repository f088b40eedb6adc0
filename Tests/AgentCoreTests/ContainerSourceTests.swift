// SPDX-License-Identifier: Apache-2.0

import ContainerRuntimes
import IdentityModel
import KernelDatapath
import LinuxHost
import NetworkModel
import Testing

@testable import AgentCore

@Suite struct ContainerSourceTests {
    /// A source that says what it is told to say, and ends.
    private struct Recital: WorkloadSource {
        let name = "podman"
        let steps: [WorkloadChange]

        func changes() -> AsyncStream<WorkloadChange> {
            AsyncStream { continuation in
                for step in steps { continuation.yield(step) }
                continuation.finish()
            }
        }
    }

    private static func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

    @Test func `a container may use all addresses of its links, those valid on the link only included`() async throws {
        let scratch = try Scratch()
        let datapath = InMemoryDatapath()
        let routable = [try Self.address("10.1.2.3"), try Self.address("fd00::3")]
        let linkLocal = [try Self.address("fe80::5:3")]
        var web = ContainerRuntimes.Workload(id: "podman:web", name: "web", runtime: "podman")
        web.interfaces = [
            WorkloadInterface(hostIndex: 7, name: "eth0", addresses: routable, linkLocalAddresses: linkLocal),
            WorkloadInterface(hostIndex: 8, name: "eth1", addresses: [try Self.address("10.1.3.3")]),
        ]
        let state = try await AgentState.adopted(in: scratch.path, datapath, awaiting: [ContainerSource.podman])
        let source = ContainerSource(
            source: Recital(steps: [.snapshot([web])]), location: "", filter: LabelFilter([]), state: state)
        await source.run()
        await state.settle()
        let endpoints = datapath.withContent { $0.endpoints }
        let all = Set(routable + linkLocal + [try Self.address("10.1.3.3")])
        #expect(endpoints[7]?.addresses == all)
        #expect(endpoints[8]?.addresses == all)
        // What the engine gave it is declared, whether it is configured inside or not.
        web.engineAddresses = [routable[0], try Self.address("10.1.9.9")]
        let adapted = source.adapt(web)
        #expect(adapted.addresses == all.union(web.engineAddresses))
        #expect(adapted.readAddresses == all.subtracting([routable[0]]))
    }

    @Test func `what is removed is gone, and an interruption changes nothing`() async throws {
        let scratch = try Scratch()
        let datapath = InMemoryDatapath()
        func container(_ name: String, _ index: Int32) -> ContainerRuntimes.Workload {
            var workload = ContainerRuntimes.Workload(id: "podman:\(name)", name: name, runtime: "podman")
            workload.interfaces = [WorkloadInterface(hostIndex: index, name: "eth0", addresses: [])]
            return workload
        }
        let state = try await AgentState.adopted(in: scratch.path, datapath, awaiting: [ContainerSource.podman])
        let steps: [WorkloadChange] = [
            .snapshot([container("a", 7), container("b", 8)]), .removed(id: "podman:a"),
            .status(WorkloadSourceStatus(isConnected: false, message: "interrupted")), .upsert(container("c", 9)),
        ]
        await ContainerSource(
            source: Recital(steps: steps), location: "", filter: LabelFilter([]), state: state
        ).run()
        await state.settle()
        #expect(Set(datapath.withContent { $0.endpoints.keys }) == [8, 9])
        // The engine is away: nothing is known, what was known stands.
        await ContainerSource(
            source: Recital(steps: [.status(WorkloadSourceStatus(isConnected: false, message: "away"))]), location: "",
            filter: LabelFilter([]), state: state
        ).run()
        await state.settle()
        #expect(Set(datapath.withContent { $0.endpoints.keys }) == [8, 9])
    }
}
