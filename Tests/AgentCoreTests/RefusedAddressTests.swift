// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import IdentityModel
import NetworkModel
import Testing

@testable import AgentCore

/// What `status` says of workloads of other hosts that do not have what they were written with.
@Suite struct RefusedAddressTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func labels(_ app: String) -> LabelSet {
        LabelSet([Label(source: LabelSource.kubernetes, key: "app", value: app)])
    }

    private func v4(_ number: UInt32) -> IPAddress { IPAddress(v4: 0x0a00_0000 + number) }

    private func remote(_ app: String, _ addresses: ClosedRange<UInt32>) -> RemoteWorkload {
        RemoteWorkload(labels: labels(app), addresses: addresses.map(v4))
    }

    private func told(_ state: AgentState) async throws -> [String] {
        try await state.status().problems.flatMap { problem in
            problem.subject == "workloads of other hosts" ? problem.message.split(separator: "\n").map(String.init) : []
        }
    }

    @Test func `addresses refused to workloads of other hosts are named, and not for longer than they are`()
        async throws
    {
        let state = try await AgentState.adopted(in: "\(scratch.path)/one", awaiting: ["test"])
        let own = Workload(
            key: "test:own", name: "own", source: "test", labels: labels("own"), addresses: [v4(1)],
            interfaces: [])
        await state.update(source: "test", workloads: [own], state: "ok", location: "")
        await state.update(
            remotes: RemoteDelta(setting: ["remote:t/a": remote("a", 1...2), "remote:t/c": remote("c", 5...6)]))
        #expect(try await told(state).dropFirst() == ["10.0.0.1 of a: it is own's"])
        await state.update(
            remotes: RemoteDelta(setting: ["remote:t/b": remote("b", 2...3), "remote:t/d": remote("c", 5...6)]))
        #expect(try await told(state).dropFirst() == ["10.0.0.1 of a: it is own's", "10.0.0.2 of b: it is a's"])
        #expect(try await state.status().condition == .degraded)
        await state.update(remotes: RemoteDelta(setting: ["remote:t/a": remote("a", 7...7)]))
        #expect(try await told(state) == [])
    }

    @Test func `of many refusals the first ten are named`() async throws {
        let state = try await AgentState.adopted(in: "\(scratch.path)/many", awaiting: ["test"])
        await state.update(source: "test", workloads: [], state: "ok", location: "")
        await state.update(
            remotes: RemoteDelta(setting: ["remote:t/a": remote("a", 1...1000), "remote:t/b": remote("b", 1...900)]))
        let lines = try await told(state)
        #expect(lines.count == 12 && lines[1] == "10.0.0.1 of b: it is a's" && lines.last == "and 890 more")
    }
}
