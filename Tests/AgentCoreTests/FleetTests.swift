// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import ClusterSchema
import ClusterStore
import ControlAPI
import IdentityModel
import KernelDatapath
import LinuxHost
import NetworkModel
import Synchronization
import Testing

@testable import AgentCore

/// What a node tells its fleet, and how it is configured to.
@Suite struct FleetTests {
    /// A store in memory: says what it is told, at once if it is let.
    private final class NotingStore: FleetStore {
        struct State {
            var addresses: [[IPAddress]] = []
            var told: [[String: ClusterWorkload]] = []
            var documents: [String: (text: [UInt8], author: StoredAuthor)] = [:]
            var revision: Int64 = 100
            var failure: StoreError?
        }

        let state = Mutex(State())
        /// What a feed would say.
        let changes = Mutex<(@Sendable (ClusterDelta) async -> Void)?>(nil)

        func publish(addresses: [IPAddress]) { state.withLock { $0.addresses.append(addresses) } }

        func publish(workloads: [String: ClusterWorkload]) { state.withLock { $0.told.append(workloads) } }

        var last: [String: ClusterWorkload]? { state.withLock { $0.told.last } }
        var names: [String] { state.withLock { $0.documents.keys.sorted() } }

        func apply(documents: [String: [UInt8]], author: String) async throws(StoreError) -> Int64 {
            try await commit(documents.mapValues { $0 }, author)
        }

        func delete(documents: Set<String>) async throws(StoreError) -> Int64 {
            try await commit(Dictionary(uniqueKeysWithValues: documents.map { ($0, nil) }), "")
        }

        private func commit(_ documents: [String: [UInt8]?], _ author: String) async throws(StoreError) -> Int64 {
            let outcome = state.withLock { state -> Result<Int64, StoreError> in
                if let failure = state.failure { return .failure(failure) }
                for (name, text) in documents {
                    state.documents[name] = text.map { ($0, StoredAuthor(name: author, at: "2026-01-02T03:04:05Z")) }
                }
                state.revision += 1
                return .success(state.revision)
            }
            let revision = try outcome.get()
            if let tell = changes.withLock({ $0 }) { Task { await tell(ClusterDelta(documents: documents)) } }
            return revision
        }

        func nodeCount() async -> Int { 3 }

        func authors() async -> [String: StoredAuthor] { state.withLock { $0.documents.mapValues(\.author) } }

        func text(of document: String) async -> [UInt8]? { state.withLock { $0.documents[document]?.text } }
    }

    /// A node that hears what it applies.
    private func member(_ name: String) async throws -> (AgentState, NotingStore) {
        let state = try await AgentState.adopted(in: "\(scratch.path)/\(name)") { $0.nodeName = "here" }
        await state.join("etcd", remembered: nil)
        let store = NotingStore()
        store.changes.withLock {
            $0 = { delta in await state.update(cluster: ClusterMailbox.Letters(delta: delta)) }
        }
        await state.use(store)
        await state.update(source: "test", workloads: [Self.workload("db", ["10.1.0.2"])], state: "", location: "")
        return (state, store)
    }

    private static func policy(_ names: String..., app: String = "web") -> PolicyDocument {
        let text = names.map { name in
            """
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata: {name: \(name), namespace: shop}
            spec: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {app: \(app)}}}]}]}
            """
        }
        return PolicyDocument(name: "p.yaml", text: Array(text.joined(separator: "\n---\n").utf8))
    }

    @Test func `what is applied goes to the store and comes from there, and says who did it`() async throws {
        let (state, store) = try await member("shared")
        let trial = try await state.applyPolicies(Self.policy("a"), options: ChangeOptions(isDryRun: true))
        #expect(!trial.inForce && trial.added == ["NetworkPolicy/shop/a"] && store.names.isEmpty)
        let report = try await state.applyPolicies(Self.policy("a", "b"), options: ChangeOptions(userID: 0))
        #expect(report.inForce && report.storeRevision == 101 && report.revision == nil && report.notice == nil)
        #expect(report.added == ["NetworkPolicy/shop/a", "NetworkPolicy/shop/b"])
        #expect(store.names == ["NetworkPolicy/shop/a", "NetworkPolicy/shop/b"])
        #expect(try await state.status().cluster?.nodes == 3)
        let record = try await state.policy("a")
        #expect(record.origin == "cluster" && record.appliedBy == "root@here" && record.appliedAt != nil)
        #expect(record.document?.contains("name: a") == true && record.document?.contains("name: b") == false)
        #expect(try await state.policies().allSatisfy { $0.appliedBy == "root@here" })
        let plan = try await state.planPolicies(.delete("a"), limit: 9)
        #expect(plan.removed == ["NetworkPolicy/shop/a"])
        let removal = try await state.deletePolicy("a", options: ChangeOptions())
        #expect(removal.inForce && removal.storeRevision == 102 && removal.removed == ["NetworkPolicy/shop/a"])
        #expect(store.names == ["NetworkPolicy/shop/b"])
        #expect(try await state.policies().map(\.name) == ["b"])
    }

    @Test func `a store that does not take it leaves everything as it was, and says so`() async throws {
        let (state, store) = try await member("refused")
        _ = try await state.applyPolicies(Self.policy("a"), options: ChangeOptions())
        store.state.withLock { $0.failure = StoreError(.unavailable, "no member answers") }
        for _ in 0..<2 {
            let error = try await #require(throws: APIError.self) {
                try await state.applyPolicies(Self.policy("b"), options: ChangeOptions())
            }
            #expect(error.code == .unavailable && error.message.contains("no member answers"))
        }
        await #expect(throws: APIError.self) { try await state.deletePolicy("a", options: ChangeOptions()) }
        #expect(try await state.policies().map(\.name) == ["a"] && store.names == ["NetworkPolicy/shop/a"])
        // Wrong documents do not get as far as that.
        let wrong = PolicyDocument(name: "p.yaml", text: Array("kind: NetworkPolicy".utf8))
        let error = try await #require(throws: APIError.self) {
            try await state.applyPolicies(wrong, options: ChangeOptions())
        }
        #expect(error.code == .invalidPolicy)
        for options in [ChangeOptions(isForced: true), ChangeOptions(confirmWithin: .seconds(9))] {
            let error = try await #require(throws: APIError.self) {
                try await state.applyPolicies(Self.policy("b"), options: options)
            }
            #expect(error.code == .badRequest && error.message.contains("--local"))
        }
    }

    @Test func `an agent that could not open the store does not take it for a host that is alone`() async throws {
        let state = try await AgentState.adopted(in: "\(scratch.path)/closed") { $0.fleet.isEnabled = true }
        await state.report("cluster", "cluster: no such file; trying again")
        let error = try await #require(throws: APIError.self) {
            try await state.applyPolicies(Self.policy("a"), options: ChangeOptions())
        }
        #expect(error.code == .unavailable && error.message.contains("no such file"))
        _ = try await state.applyPolicies(Self.policy("a"), options: ChangeOptions(isLocal: true))
        #expect(try await state.policy("a").origin == "api")
    }

    @Test func `what is applied on this host alone wins here, and is not overwritten unseen`() async throws {
        let (state, store) = try await member("local")
        _ = try await state.applyPolicies(Self.policy("a"), options: ChangeOptions())
        let local = ChangeOptions(isLocal: true)
        let report = try await state.applyPolicies(Self.policy("a", app: "job"), options: local)
        #expect(report.revision == 1 && report.storeRevision == nil)
        #expect(try await state.policy("a").origin == "api" && store.state.withLock { $0.revision } == 101)
        for attempt in 0..<2 {
            let error = try await #require(throws: APIError.self) {
                attempt == 0
                    ? try await state.applyPolicies(Self.policy("a"), options: ChangeOptions())
                    : try await state.deletePolicy("a", options: ChangeOptions())
            }
            #expect(error.code == .refused && error.message.contains("policy delete --local NetworkPolicy/shop/a"))
        }
        _ = try await state.deletePolicy("a", options: local)
        #expect(try await state.policy("a").origin == "cluster")
        await #expect(throws: APIError.self) { try await state.deletePolicy("a", options: local) }
    }

    @Test func `what the store has and this host does not take is told`() async throws {
        let (state, store) = try await member("behind")
        // Somebody else was quicker: what comes back is another text.
        store.changes.withLock {
            $0 = { delta in
                let other = delta.documents.mapValues { _ in Optional(Self.policy("a", app: "other").text) }
                await state.update(cluster: ClusterMailbox.Letters(delta: ClusterDelta(documents: other)))
            }
        }
        let report = try await state.share(
            try await state.read([Self.policy("a")]), in: store, ChangeOptions(), patience: .milliseconds(200))
        #expect(!report.inForce && report.storeRevision == 101)
        #expect(report.notice?.contains("in the store since revision 101") == true)
    }

    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private static func workload(_ name: String, _ addresses: [String], source: String = "test") -> Workload {
        let labels = [
            Label(source: LabelSource.kubernetes, key: "app", value: name),
            Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: "shop"),
        ]
        return Workload(
            key: "\(source):\(name)", name: name, source: source, labels: LabelSet(labels),
            addresses: Set(addresses.compactMap { IPAddress($0) }), interfaces: [],
            namedPorts: NamedPorts([NamedPort(proto: .tcp, name: "http"): [80]]))
    }

    @Test func `workloads are told once all sources have spoken, as they are in force`() async throws {
        let state = try await AgentState.adopted(in: "\(scratch.path)/a", awaiting: ["test", "late"]) {
            $0.nodeName = "here"
        }
        let store = NotingStore()
        await state.use(store)
        await state.update(source: "test", workloads: [Self.workload("web", ["10.1.0.2"])], state: "", location: "")
        #expect(store.last == nil, "the source that did not speak yet may have workloads that are published")
        await state.update(source: "late", workloads: nil, state: "cannot be reached", location: "")
        let web = try #require(store.last?["shop/web"])
        #expect(store.last?.count == 1 && web.node == "here" && web.addresses == [IPAddress("10.1.0.2")])
        #expect(web.labels == Self.workload("web", []).labels && web.namedPorts.numbers.count == 1)
        await state.update(source: "test", workloads: [], state: "", location: "")
        #expect(store.last == [:])
    }

    @Test func `what is no workload of this node alone, or has no address for others, is not told`() async throws {
        let state = try await AgentState.adopted(in: "\(scratch.path)/b") {
            $0.fleet.networks = [CIDR("10.1.0.0/16"), CIDR("fd00:1::/64")].compactMap(\.self)
        }
        let store = NotingStore()
        await state.use(store)
        let workloads = [
            Self.workload("both", ["10.1.0.2", "10.2.0.2", "fd00:1::2", "fe80::2"]),
            Self.workload("behind", ["10.88.0.2"]), Self.workload("shop/pod", ["10.1.0.3"]),
            Self.workload("newcomer", ["10.1.0.4"], source: NewcomerSource.name),
            Self.workload("attached", ["10.1.0.5"], source: Attachment.source),
            Workload(
                key: "host", name: "host", source: HostSource.name,
                labels: LabelSet([Label(source: LabelSource.reserved, key: "host")]),
                addresses: [try #require(IPAddress("10.1.0.1"))], interfaces: [], options: [.host]),
        ]
        await state.update(source: "test", workloads: workloads, state: "", location: "")
        #expect(store.last?.keys.sorted() == ["shop/both", "shop/pod"])
        #expect(store.last?["shop/both"]?.addresses == ["10.1.0.2", "fd00:1::2"].compactMap { IPAddress($0) })
    }

    @Test func `an installation keeps its name, and no other has it`() throws {
        let first = try InstanceName(path: "\(scratch.path)/one").value()
        #expect(try InstanceName(path: "\(scratch.path)/one").value() == first && first.count > 12)
        #expect(try InstanceName(path: "\(scratch.path)/two").value() != first)
        #expect(throws: AgentError.self) { try InstanceName(path: "\(scratch.path)/none/x").value() }
    }

    private func read(_ text: String) throws -> AgentConfiguration {
        var configuration = AgentConfiguration()
        try configuration.read(Array(text.utf8), file: "agent.yaml")
        return configuration
    }

    @Test func `a configuration says all that is needed to reach the store`() throws {
        try StateStorage.write(bytes: Array("se cret\n# not this\n".utf8), to: "\(scratch.path)/password")
        let configuration = try read(
            """
            nodeName: n1
            cluster:
              endpoints: ["https://10.0.0.1:2379", "https://[fd00::1]"]
              user: node
              passwordFile: \(scratch.path)/password
              prefix: /fleets/blue
              leaseTime: 20s
              grace: 1m
              networks: [10.1.0.0/16]
            """)
        try configuration.checkFiles()
        let store = try configuration.fleet.configuration(instance: "i")
        #expect(store.endpoints.map(\.description) == ["https://10.0.0.1:2379", "https://[fd00::1]:2379"])
        #expect(
            store.credentials?.user == "node" && store.credentials?.password == "se cret"
                && store.prefix == "/fleets/blue")
        #expect(store.leaseTime == .seconds(20) && store.grace == .seconds(60) && store.instance == "i")
        #expect(try !read("cluster: {enabled: false}").fleet.isEnabled)
    }

    @Test(arguments: [
        ("cluster: {prefix: /x}", "1:10: `endpoints` is missing"),
        ("cluster: {endpoints: [10.0.0.1]}", "1:23: \"10.0.0.1\" is no member of a store"),
        ("cluster: {endpoints: [\"http://h\"], user: u}", "`user` and `passwordFile` belong together"),
        ("cluster: {endpoints: [\"http://h\"], tls: {authorities: a}}", "not every endpoint begins with https://"),
        ("cluster: {endpoints: [\"https://h\"], tls: {key: a}}", "`certificate` and `key` belong together"),
        ("cluster: {endpoints: [\"https://h\"], prefix: x/}", "is no prefix"),
        ("cluster: {endpoints: [\"https://h\"], leaseTime: 1s}", "at least 5.0 seconds"),
        ("cluster: {endpoints: [\"https://h\"], networks: [x]}", "\"x\" is not an address"),
        ("kubernetes: {}\ncluster: {endpoints: [\"https://h\"]}", "exclude each other"),
    ])
    func `what cannot work is refused with its place`(text: String, expected: String) {
        do {
            _ = try read(text)
            Issue.record("accepted: \(text)")
        } catch {
            #expect("\(error)".hasPrefix("agent.yaml:") && "\(error)".contains(expected))
        }
    }

    @Test(arguments: [
        "passwordFile: /none/password, user: u", "tls: {authorities: /none/ca.pem}",
        "tls: {certificate: /none/a, key: /none/b}",
    ])
    func `files that are not there are found by a check`(text: String) throws {
        let configuration = try read("{nodeName: n, cluster: {endpoints: [\"https://h\"], \(text)}}")
        #expect(throws: StoreError.self) { try configuration.checkFiles() }
    }
}
