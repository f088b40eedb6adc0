// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import ControlAPI
import IdentityModel
import KernelDatapath
import LinuxHost
import NetworkModel
import PolicyModel
import Testing

@testable import AgentCore

/// What a cluster says comes into force, stays when the cluster is silent, and goes only when it says so.
@Suite struct ClusterTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private static func workload(_ app: String, _ number: UInt32, node: String = "other") -> ClusterWorkload {
        let labels = [
            Label(source: LabelSource.kubernetes, key: "app", value: app),
            Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: "shop"),
        ]
        return ClusterWorkload(node: node, labels: LabelSet(labels), addresses: [address(number)])
    }

    private static func address(_ number: UInt32) -> IPAddress { IPAddress(v4: 0x0acb_0000 + number) }

    /// As the API server has it: on one line, with fields that only it writes.
    private static func allow(_ app: String, name: String = "db") -> [UInt8] {
        Array(
            (#"{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"\#(name)","#
                + #""namespace":"shop","uid":"1","resourceVersion":"7","generation":1},"#
                + #""spec":{"podSelector":{"matchLabels":{"app":"db"}},"policyTypes":["Ingress"],"ingress":[{"from":"#
                + #"[{"podSelector":{"matchLabels":{"app":"\#(app)"}}}],"ports":[{"port":5432}]}]}}"#).utf8)
    }

    private static let database = Workload(
        key: "test:db", name: "db", source: "test", labels: workload("db", 1).labels, addresses: [address(1)],
        interfaces: [])

    private static let content = ClusterContent(
        documents: ["networkpolicies/shop/db": allow("web")],
        workloads: ["shop/web-0": workload("web", 2), "shop/job-0": workload("job", 3)])

    private func member(_ name: String, remembered: ClusterMemory.Content? = nil) async throws -> AgentState {
        let state = try await AgentState.adopted(in: "\(scratch.path)/\(name)") { $0.nodeName = "here" }
        await state.join("kubernetes", remembered: remembered)
        await state.reconcile()
        await state.update(source: "test", workloads: [Self.database], state: "ok", location: "")
        return state
    }

    private func verdict(_ state: AgentState, from: String) async throws -> String {
        try await state.explain(ExplainRequest(from: from, to: "db", port: 5432, protocol: "tcp")).verdict
    }

    private static func letters(_ changes: ClusterChange...) -> ClusterMailbox.Letters {
        changes.reduce(into: ClusterMailbox.Letters()) { $0.add($1) }
    }

    private static let connected = ClusterChange.status(ClusterFeedStatus(isConnected: true, message: "watching"))

    @Test func `policies and workloads of a cluster come into force in one commit`() async throws {
        let state = try await member("one")
        let before = await state.commits.made
        await state.update(cluster: Self.letters(Self.connected, .snapshot(Self.content)))
        #expect(await state.commits.made == before + 1)
        #expect(try await verdict(state, from: "10.203.0.2") == "allow")
        #expect(try await verdict(state, from: "10.203.0.3") == "deny")
        let record = try await state.policy("NetworkPolicy/shop/db")
        #expect(record.origin == "cluster" && record.source == "kubernetes:networkpolicies/shop/db:1:1")
        let status = try await state.status()
        #expect(status.cluster?.connected == true && status.cluster?.remembered == false)
        #expect(status.cluster?.policies == 1 && status.cluster?.workloads == 2 && status.condition == .ready)
        // A job ends, another takes its place, and a policy is another one.
        let delta = ClusterDelta(
            documents: ["networkpolicies/shop/db": Self.allow("job")],
            workloads: ["shop/job-0": nil, "shop/job-1": Self.workload("job", 4)])
        await state.update(cluster: Self.letters(.delta(delta)))
        #expect(try await verdict(state, from: "10.203.0.2") == "deny")
        #expect(try await verdict(state, from: "10.203.0.3") == "deny")
        #expect(try await verdict(state, from: "10.203.0.4") == "allow")
        await state.update(cluster: Self.letters(.delta(ClusterDelta(documents: ["networkpolicies/shop/db": nil]))))
        #expect(try await verdict(state, from: "10.203.0.2") == "allow", "no policy selects the database")
        #expect(try await state.policies().isEmpty)
    }

    @Test func `a snapshot takes what it does not name, and nothing else`() async throws {
        let state = try await member("snapshot")
        var more = Self.content
        more.documents["networkpolicies/shop/other"] = Self.allow("other", name: "other")
        await state.update(cluster: Self.letters(Self.connected, .snapshot(more)))
        let file = RemoteWorkload(labels: Self.workload("file", 9).labels, addresses: [Self.address(9)])
        await state.update(remotes: RemoteDelta(setting: ["remote:workloads/file": file]))
        var less = Self.content
        less.workloads["shop/web-0"] = nil
        let commits = await state.commits.made
        await state.update(cluster: Self.letters(.snapshot(less)))
        #expect(await state.commits.made == commits + 1)
        #expect(await state.remoteKeys == ["remote:kubernetes/shop/job-0", "remote:workloads/file"])
        #expect(try await state.policies().map(\.name) == ["db"])
        // The same once more is no change.
        await state.update(cluster: Self.letters(.snapshot(less)))
        #expect(await state.commits.made == commits + 1)
    }

    @Test func `a workload that is on this node is no stranger's`() async throws {
        let state = try await member("own")
        var content = Self.content
        content.workloads["shop/db"] = Self.workload("db", 1, node: "here")
        await state.update(cluster: Self.letters(Self.connected, .snapshot(content)))
        #expect(await state.remoteKeys.count == 2)
        // It moves here from another node.
        let moved = ClusterDelta(workloads: ["shop/web-0": Self.workload("web", 2, node: "here")])
        await state.update(cluster: Self.letters(.delta(moved)))
        #expect(await state.remoteKeys == ["remote:kubernetes/shop/job-0"])
    }

    @Test func `a policy that cannot be read leaves the one before in force, and says so`() async throws {
        let state = try await member("wrong")
        await state.update(cluster: Self.letters(Self.connected, .snapshot(Self.content)))
        var text = String(decoding: Self.allow("job"), as: UTF8.self)
        text.replace("\"Ingress\"", with: "\"Sideways\"")
        await state.update(
            cluster: Self.letters(.delta(ClusterDelta(documents: ["networkpolicies/shop/db": Array(text.utf8)]))))
        #expect(try await verdict(state, from: "10.203.0.2") == "allow")
        #expect(try await verdict(state, from: "10.203.0.3") == "deny")
        let problems = try await state.status().problems
        #expect(
            problems.contains { $0.subject == "kubernetes:networkpolicies/shop/db" && $0.message.contains("Sideways") })
        await state.update(
            cluster: Self.letters(.delta(ClusterDelta(documents: ["networkpolicies/shop/db": Self.allow("job")]))))
        #expect(try await verdict(state, from: "10.203.0.3") == "allow")
        #expect(try await state.status().condition == .ready)
    }

    @Test func `what was said here wins over the cluster, which takes over again`() async throws {
        let state = try await member("local")
        await state.update(cluster: Self.letters(Self.connected, .snapshot(Self.content)))
        _ = try await state.applyPolicies(
            [PolicyDocument(name: "p.yaml", text: Self.allow("job"))], options: ChangeOptions())
        #expect(try await verdict(state, from: "10.203.0.3") == "allow")
        #expect(try await state.policy("db").origin == "api")
        _ = try await state.deletePolicy("db", options: ChangeOptions())
        #expect(try await verdict(state, from: "10.203.0.3") == "deny")
        #expect(try await verdict(state, from: "10.203.0.2") == "allow")
        // Of the cluster's there is nothing to delete here.
        await #expect(throws: APIError.self) { _ = try await state.deletePolicy("db", options: ChangeOptions()) }
    }

    @Test func `a silent cluster stays in force, with its age`() async throws {
        let state = try await member("silent")
        await state.update(cluster: Self.letters(Self.connected, .snapshot(Self.content)))
        let gone = ClusterFeedStatus(isConnected: false, message: "no answer from 10.0.0.1:6443; trying again")
        await state.update(cluster: Self.letters(.status(gone)))
        #expect(try await verdict(state, from: "10.203.0.2") == "allow")
        #expect(try await verdict(state, from: "10.203.0.3") == "deny")
        let status = try await state.status()
        #expect(status.cluster?.connected == false && status.cluster?.ageSeconds.map { $0 < 60 } == true)
        let problem = status.problems.first { $0.subject == "kubernetes" }
        #expect(problem?.message.hasPrefix("no answer from 10.0.0.1:6443; trying again; what was known at 20") == true)
        await state.update(cluster: Self.letters(Self.connected))
        #expect(try await state.status().condition == .ready)
    }

    @Test func `an agent that starts without the cluster goes on from what is on disk`() async throws {
        let memory = ClusterMemory(path: "\(scratch.path)/cluster")
        #expect(try memory.read() == nil)
        try memory.write(.init(feed: "kubernetes", currentAt: 1_700_000_000, content: Self.content))
        let remembered = try #require(try memory.read())
        #expect(remembered.content == Self.content)
        let state = try await member("again", remembered: remembered)
        #expect(try await verdict(state, from: "10.203.0.2") == "allow")
        #expect(try await verdict(state, from: "10.203.0.3") == "deny")
        var status = try await state.status()
        #expect(status.cluster?.remembered == true && status.cluster?.currentAt == "2023-11-14T22:13:20Z")
        #expect(status.condition == .degraded)
        // What went meanwhile goes only now that the cluster says so.
        await state.update(cluster: Self.letters(Self.connected, .snapshot(ClusterContent())))
        status = try await state.status()
        #expect(status.cluster?.remembered == false && status.cluster?.workloads == 0)
        // What was remembered of another cluster is nothing of this one.
        let other = try await AgentState.adopted(in: "\(scratch.path)/other")
        await other.join("etcd", remembered: remembered)
        #expect(try await other.status().cluster?.workloads == 0)
        #expect(try await other.status().cluster?.currentAt == nil)
    }

    @Test func `what is on disk is taken whole or not at all`() throws {
        let memory = ClusterMemory(path: "\(scratch.path)/damaged")
        var content = Self.content
        content.documents["b"] = Array("kind: A\n---\nend\n".utf8)
        content.workloads["shop/web-0"] = ClusterWorkload(
            node: "other", labels: LabelSet([Label(source: "container", key: "a b", value: "x,\ty\n\"z=")]),
            addresses: [Self.address(2), IPAddress(high: 0xfd00 << 48, low: 2)],
            namedPorts: NamedPorts([
                NamedPort(proto: .tcp, name: "http"): [80, 8080], NamedPort(proto: .udp, name: "d"): [5],
            ]))
        try memory.write(.init(feed: "etcd", currentAt: 5, content: content))
        let bytes = try readRegularFile(memory.path, bytesMax: 1 << 20)
        #expect(try memory.read()?.content == content)
        for length in stride(from: 0, to: bytes.count - 1, by: 7) {
            try StateStorage.write(bytes: Array(bytes[..<length]), to: memory.path)
            #expect(throws: AgentError.self) { _ = try memory.read() }
        }
        for place in stride(from: 0, to: bytes.count, by: 3) {
            var other = bytes
            other[place] ^= 0x15
            try StateStorage.write(bytes: other, to: memory.path)
            // Whatever it says, it is read without a crash.
            _ = try? memory.read()
        }
    }

    @Test func `what a feed says while the agent is busy is one round`() async throws {
        let mailbox = ClusterMailbox()
        mailbox.post(.delta(ClusterDelta(documents: ["old": [1]])))
        mailbox.post(.snapshot(ClusterContent(documents: ["a": [1], "b": [2]])))
        mailbox.post(.delta(ClusterDelta(documents: ["a": nil])))
        mailbox.post(.delta(ClusterDelta(documents: ["c": [3]])))
        mailbox.post(Self.connected)
        let (rounds, told) = AsyncStream.makeStream(of: ClusterMailbox.Letters.self)
        let work = Task { await mailbox.forEachRound { told.yield($0) } }
        var iterator = rounds.makeAsyncIterator()
        let first = try #require(await iterator.next())
        #expect(first.snapshot?.documents == ["a": [1], "b": [2]] && first.status?.isConnected == true)
        #expect(first.delta.documents == ["a": nil, "c": [3]])
        work.cancel()
        await work.value
    }
}

extension AgentState {
    fileprivate var remoteKeys: [String] { engine.remotes.keys.sorted() }
}
