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

    private func lines(_ reports: [ProblemReport]?) -> [String] {
        (reports ?? []).flatMap { report in
            report.subject == "workloads of other hosts" ? report.message.split(separator: "\n").map(String.init) : []
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
            remotes: RemoteDelta(setting: ["remote:t/b": remote("b", 2...3), "remote:t/d": remote("c", 5...6)]))
        #expect(try await state.status().notes == nil)
        // Who shares an address with others elsewhere claims nothing here: nobody need mend that.
        await state.update(
            remotes: RemoteDelta(setting: ["remote:t/a": remote("a", 2...2), "remote:t/c": remote("c", 5...6)]))
        var status = try await state.status()
        #expect(lines(status.notes).dropFirst() == ["10.0.0.2 of b: it is a's"])
        #expect(lines(status.problems).isEmpty && status.condition == .ready)
        await state.update(remotes: RemoteDelta(setting: ["remote:t/a": remote("a", 1...2)]))
        status = try await state.status()
        #expect(lines(status.notes).dropFirst() == ["10.0.0.2 of b: it is a's"])
        #expect(lines(status.problems).dropFirst() == ["10.0.0.1 of a: it is own's"])
        #expect(status.condition == .degraded)
        await state.update(remotes: RemoteDelta(setting: ["remote:t/a": remote("a", 7...7)]))
        status = try await state.status()
        #expect(status.notes == nil && status.condition == .ready)
    }

    @Test func `of many refusals the first ten are named`() async throws {
        let state = try await AgentState.adopted(in: "\(scratch.path)/many", awaiting: ["test"])
        await state.update(source: "test", workloads: [], state: "ok", location: "")
        var all = RemoteDelta(setting: ["remote:t/a": remote("a", 1...1000)])
        for number in 1...5 { all["remote:t/b\(number)"] = remote("b\(number)", 1...900) }
        await state.update(remotes: all)
        let told = lines(try await state.status().notes)
        #expect(told.count == 12 && told[1] == "10.0.0.1 of b1, b2, b3 and 2 more: it is a's")
        #expect(told.last == "and 890 more addresses")
    }

    @Test func `workloads of other hosts are explained by their labels, at their addresses and by their names`()
        async throws
    {
        let state = try await AgentState.adopted(in: "\(scratch.path)/explained", awaiting: ["test"])
        let database = Workload(
            key: "test:db", name: "db", source: "test",
            labels: LabelSet([
                Label(source: LabelSource.kubernetes, key: "app", value: "db"),
                Label(source: LabelSource.kubernetes, key: "io.kubernetes.pod.namespace", value: "x"),
            ]), addresses: [v4(1)], interfaces: [])
        await state.update(source: "test", workloads: [database], state: "ok", location: "")
        let namespace = Label(source: LabelSource.kubernetes, key: "io.kubernetes.pod.namespace", value: "x")
        var remotes = RemoteDelta()
        for (name, address) in [("a", UInt32(2)), ("b", 3)] {
            remotes["remote:workloads/\(name)"] = RemoteWorkload(
                labels: LabelSet(labels(name).labels + [namespace]), addresses: [v4(address)])
        }
        await state.update(remotes: remotes)
        let policy = """
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata: {name: p, namespace: x}
            spec:
              podSelector: {matchLabels: {app: db}}
              ingress: [{from: [{podSelector: {matchLabels: {app: a}}}], ports: [{port: 5}]}]
            """
        _ = try await state.applyPolicies(
            [PolicyDocument(name: "p.yaml", text: Array(policy.utf8))], options: ChangeOptions())
        for (from, verdict) in [
            ("10.0.0.2", "allow"), ("a", "allow"), ("10.0.0.3", "deny"), ("b", "deny"), ("10.0.0.4", "deny"),
        ] {
            let report = try await state.explain(ExplainRequest(from: from, to: "db", port: 5, protocol: "tcp"))
            #expect(report.verdict == verdict, "\(from)")
            let isWorld = from == "10.0.0.4"
            #expect(report.from.labels.contains("reserved:world") == isWorld, "\(report.from)")
        }
    }
}
