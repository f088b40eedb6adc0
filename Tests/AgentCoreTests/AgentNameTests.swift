// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EventModel
import FlowAggregation
import IdentityModel
import KernelDatapath
import Logging
import NetworkModel
import Synchronization
import Testing

@testable import AgentCore
@testable import LinuxHost

/// What the agent says about DNS names: in status, policies, flows, explanations and lists.
@Suite struct AgentNameTests {
    private let scratch: Scratch
    private let datapath = InMemoryDatapath()
    private let aggregator = FlowAggregator(capacity: 64)

    init() throws { scratch = try Scratch() }

    /// An agent with the workload `web`, which was told names, and a rule by name about it.
    private func agent(resolvers: Set<IPAddress>, policy: String? = nil) async throws -> AgentState {
        var configuration = AgentConfiguration()
        configuration.policyDirectory = "\(scratch.path)/policies"
        configuration.stateDirectory = "\(scratch.path)/state"
        configuration.names.resolvers = resolvers
        try createDirectory(configuration.policyDirectory)
        try createDirectory(configuration.stateDirectory)
        let state = try AgentState(
            configuration: configuration, datapath: datapath, aggregator: aggregator,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        await state.expect(sources: ["test"])
        await state.adopt()
        await state.update(
            source: "test",
            workloads: [try Self.workload("web", 2, "10.0.0.2"), try Self.workload("db", 3, "10.0.0.3")],
            state: "ok", location: "")
        await state.settle()
        if let policy { _ = try await apply(policy, to: state) }
        return state
    }

    private func apply(_ policy: String, to state: AgentState) async throws -> PolicyChangeReport {
        try await state.applyPolicies(
            PolicyDocument(name: "p.yaml", text: Array(policy.utf8)), options: ChangeOptions())
    }

    private static func workload(_ name: String, _ interface: UInt32, _ address: String) throws -> Workload {
        Workload(
            key: "test:\(name)", name: name, source: "test",
            labels: LabelSet([
                Label(source: LabelSource.kubernetes, key: "app", value: name),
                Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: "shop"),
            ]), addresses: [try #require(IPAddress(address))],
            interfaces: [.init(name: "veth\(interface)", index: interface)])
    }

    private static let policy = """
        apiVersion: cilium.io/v2
        kind: CiliumNetworkPolicy
        metadata: {name: names, namespace: shop}
        spec:
          endpointSelector: {matchLabels: {app: web}}
          egress:
            - toFQDNs: [{matchPattern: "*.a.test"}, {matchName: api.a.test}]
              toPorts: [{ports: [{port: "443", protocol: TCP}]}]
          egressDeny:
            - toFQDNs: [{matchName: bad.test}]
        """

    private static let resolver = IPAddress(v4: 0x0a00_0035)

    private func endpoint(_ interface: UInt32) throws -> UInt16 {
        try #require(datapath.withContent { $0.endpoints[interface]?.number })
    }

    /// Tells `web` names.
    private func teach(_ answers: (String, UInt16, [(String, Int)])...) throws {
        let number = try endpoint(2)
        let learnt = try answers.map { name, type, addresses in
            LearntName(
                endpoint: number, name: try #require(DomainName(name)),
                addresses: try addresses.map {
                    .init(address: try #require(IPAddress($0.0)), remaining: .seconds($0.1))
                })
        }
        datapath.withContent { $0.learntNames = learnt }
    }

    // MARK: Without resolvers

    @Test func `rules by name without a resolver are a problem of the agent, and a warning to who applies them`()
        async throws
    {
        let state = try await agent(resolvers: [])
        #expect(try await state.status().problems.isEmpty)
        let report = try await apply(Self.policy, to: state)
        let found = report.diagnostics.filter { $0.code == "BH2122" }
        #expect(found.map(\.severity) == ["warning", "warning"])
        #expect(found.first?.message.contains("(*.a.test, api.a.test) opens nothing") == true, "\(found)")
        #expect(found.last?.message.contains("(bad.test) denies nothing") == true)
        let status = try await state.status()
        #expect(status.condition == .degraded)
        #expect(status.problems.map(\.subject) == ["dns"])
        #expect(status.problems.first?.message.hasPrefix("2 rules by DNS name do nothing") == true)
        #expect(status.names?.selectors == 3 && status.names?.resolvers == [])
        let document = PolicyDocument(name: "p.yaml", text: Array(Self.policy.utf8))
        let plan = try await state.planPolicies(.apply([document]), limit: 9)
        #expect(plan.diagnostics == report.diagnostics, "a plan says what applying says")
        let validation = try await state.validatePolicies(document)
        #expect(validation.diagnostics.filter { $0.code == "BH2122" }.count == 2)
        let lint = try await state.lintPolicies(LintRequest(documents: []))
        #expect(
            lint.findings.filter { $0.diagnostic.code == "BH2122" && $0.diagnostic.severity == "warning" }.count == 2)
        // Where the rules go, the problem goes.
        _ = try await state.deletePolicy("CiliumNetworkPolicy/shop/names", options: ChangeOptions())
        #expect(try await state.status().condition == .ready)
    }

    @Test func `with a resolver nothing is said, and status has the counters of the kernel`() async throws {
        let state = try await agent(resolvers: [Self.resolver])
        let report = try await apply(Self.policy, to: state)
        #expect(!report.diagnostics.contains { $0.code == "BH2122" })
        datapath.withContent {
            $0.metrics.names.answers = 7
            $0.metrics.names.unasked = 3
            $0.metrics.names.forged = 2
        }
        let status = try await state.status()
        #expect(status.condition == .ready)
        #expect(status.names?.resolvers == ["10.0.0.53"])
        #expect(status.names?.answers == 7 && status.names?.unasked == 3 && status.names?.forged == 2)
        let rows = try await state.dump(.metrics, limit: 100).rows
        #expect(rows.contains(["DNS answers not asked for", "", "3", ""]))
    }

    // MARK: What was learnt

    @Test func `each address of a name is listed once, with its rules`() async throws {
        let state = try await agent(resolvers: [Self.resolver], policy: Self.policy)
        try teach(
            ("api.a.test", 1, [("198.51.100.1", 60), ("198.51.100.2", -5)]),
            // The same again, as an answer to another question, with a longer life.
            ("api.a.test", 28, [("2001:db8::1", 60), ("198.51.100.1", 90)]),
            ("other.test", 1, [("198.51.100.1", 60)]))
        let rule = "CiliumNetworkPolicy/shop/names egress[0]"
        let all = try await state.learntNames(NameQuery())
        #expect(
            all.names.map { "\($0.endpoint) \($0.name) \($0.address) \($0.secondsLeft) \($0.rules.joined())" } == [
                "web api.a.test 198.51.100.1 90 \(rule)", "web api.a.test 198.51.100.2 0 \(rule)",
                "web api.a.test 2001:db8::1 60 \(rule)", "web other.test 198.51.100.1 60 ",
            ])
        #expect(all.total == 4 && all.resolvers == ["10.0.0.53"])
        #expect(try await state.learntNames(NameQuery(name: "*.a.test", limit: 1)).names.count == 1)
        #expect(try await state.learntNames(NameQuery(name: "*.a.test", limit: 1)).total == 3)
        #expect(try await state.learntNames(NameQuery(endpoint: "web", name: "other.test")).total == 1)
        #expect(try await state.learntNames(NameQuery(endpoint: "db")).total == 0)
        await #expect(throws: APIError.self) { try await state.learntNames(NameQuery(endpoint: "nobody")) }
        await #expect(throws: APIError.self) { try await state.learntNames(NameQuery(name: "a b")) }
        #expect(try await state.dump(.names, limit: 9).rows.count == 4)
    }

    // MARK: Names of sets

    private static let toSets = """
        apiVersion: projectcalico.org/v3
        kind: NetworkPolicy
        metadata: {name: out, namespace: shop}
        spec:
          selector: app == 'web'
          types: [Egress]
          egress:
            - {action: Allow, protocol: TCP, destination: {selector: role == 'partner', ports: [443]}}

        """

    private static func set(_ names: String, role: String = "partner", _ name: String = "s") -> String {
        """
        ---
        apiVersion: projectcalico.org/v3
        kind: NetworkSet
        metadata: {name: \(name), namespace: shop, labels: {role: \(role)}}
        spec: {nets: [192.0.2.0/24], allowedEgressDomains: [\(names)]}

        """
    }

    @Test func `a rule follows the names of the sets that it selects, as they and their labels come and go`()
        async throws
    {
        let state = try await agent(resolvers: [Self.resolver])
        try teach(("a.test", 1, [("198.51.100.1", 60)]), ("x.b.test", 1, [("198.51.100.2", 60)]))
        func opened() async throws -> [String] {
            let listed = try await state.learntNames(NameQuery()).names.filter {
                $0.rules == ["CalicoNetworkPolicy/shop/out egress[0]"]
            }
            var opened: [String] = []
            for name in ["a.test", "x.b.test"] {
                let report = try await state.explain(
                    ExplainRequest(from: "web", to: name, port: 443, protocol: nil))
                if report.verdict == "allow" { opened.append(name) }
                #expect(
                    try await state.explain(ExplainRequest(from: "web", to: name, port: 80, protocol: nil)).verdict
                        == "deny")
            }
            #expect(listed.map(\.name) == opened)
            // The tables have an entry for each name that is meant, and the kernel the numbers of all names of sets.
            let numbers = datapath.withContent { $0.names }
            let lines = try await state.dump(.policy, limit: 1000).rows.map { $0.joined(separator: " ") }
            for (selector, number) in numbers {
                let isMeant = opened.contains { DomainName($0).map(selector.matches) ?? false }
                #expect(lines.contains { $0.contains("\(number.rawValue)") } == isMeant, "\(selector): \(lines)")
            }
            return opened
        }
        let whole = Self.toSets + Self.set("a.test, '*.b.test'")
        // Told with the change, which is no problem: answers are read.
        let plan = try await apply(whole, to: state)
        #expect(plan.diagnostics.isEmpty)
        #expect(try await opened() == ["a.test", "x.b.test"])
        _ = try await apply(Self.toSets + Self.set("a.test"), to: state)
        #expect(try await opened() == ["a.test"])
        _ = try await apply(Self.toSets + Self.set("a.test", role: "other"), to: state)
        #expect(try await opened() == [])
        _ = try await apply(
            Self.toSets + Self.set("a.test", role: "other") + Self.set("a.test, x.b.test", "t"), to: state)
        #expect(try await opened() == ["a.test", "x.b.test"])
        // Of two sets that have a name one goes.
        _ = try await apply(
            Self.toSets + Self.set("a.test") + Self.set("a.test, x.b.test", role: "other", "t"), to: state)
        #expect(try await opened() == ["a.test"])
        for name in ["s", "t"] {
            _ = try await state.deletePolicy("NetworkSet/shop/\(name)", options: ChangeOptions())
        }
        #expect(try await opened() == [])
        #expect(datapath.withContent { $0.names.isEmpty })
    }

    @Test func `a plan tells what names of a set open, and without resolvers that they open nothing`() async throws {
        let state = try await agent(resolvers: [], policy: Self.toSets)
        let document = PolicyDocument(name: "set.yaml", text: Array(Self.set("'*.b.test'").utf8))
        let plan = try await state.planPolicies(.apply([document]), limit: 20)
        let changes = plan.changes.map { "\($0.from) \($0.to) \($0.traffic) \($0.after)" }
        #expect(changes.contains("shop/web *.b.test tcp/443 allow"), "\(changes)")
        let report = try await state.applyPolicies(document, options: ChangeOptions())
        #expect(!report.diagnostics.contains { $0.severity == "error" })
        let status = try await state.status()
        #expect(status.problems.map(\.subject) == ["dns"])
        #expect(status.problems.first?.message.contains("CalicoNetworkPolicy/shop/out egress[0]") == true)
        let lint = try await state.lintPolicies(LintRequest(documents: []))
        let finding = try #require(lint.findings.first { $0.diagnostic.code == "BH2122" }).diagnostic
        #expect(finding.message.contains("as far as it means names of sets (*.b.test), opens nothing"), "\(finding)")
    }

    @Test func `a rule of several stages that names do nothing for is told once`() async throws {
        let policy = """
            apiVersion: projectcalico.org/v3
            kind: GlobalNetworkPolicy
            metadata: {name: through}
            spec:
              selector: role == 'router'
              applyOnForward: true
              types: [Egress]
              egress: [{action: Allow, destination: {selector: role == 'partner'}}]

            """
        let state = try await agent(resolvers: [], policy: Self.toSets)
        let document = PolicyDocument(
            name: "set.yaml", text: Array((policy + Self.set("'*.b.test'")).utf8))
        _ = try await state.applyPolicies(document, options: ChangeOptions())
        let lint = try await state.lintPolicies(LintRequest(documents: []))
        let told = lint.findings.filter { $0.diagnostic.code == "BH2122" }.map(\.diagnostic.message)
        #expect(told.count == Set(told).count && !told.isEmpty, "\(told)")
    }

    // MARK: Explain

    @Test func `a name is explained at the addresses it was told for, or as such`() async throws {
        let state = try await agent(resolvers: [Self.resolver], policy: Self.policy)
        func explain(_ name: String) async throws -> ExplainReport {
            try await state.explain(ExplainRequest(from: "web", to: name, port: 443, protocol: nil))
        }
        let unknown = try await explain("api.a.test")
        #expect(unknown.verdict == "allow" && unknown.to.kind == "name" && unknown.to.address == nil)
        #expect(unknown.steps.first?.cause == "CiliumNetworkPolicy/shop/names egress[0]")
        #expect(try await explain("x.y.a.test").verdict == "deny")
        #expect(try await explain("bad.test").steps.first?.cause == "CiliumNetworkPolicy/shop/names egressDeny[0]")
        // An address is judged by all of its names.
        try teach(
            ("api.a.test", 1, [("198.51.100.1", 60), ("198.51.100.2", 60)]), ("bad.test", 1, [("198.51.100.2", 60)]))
        let known = try await explain("API.a.test.")
        #expect(known.verdict == "allow" && known.to.address == "198.51.100.1")
        #expect(known.differing.map(\.toAddress) == ["198.51.100.2"])
        #expect(known.differing.map(\.verdict) == ["deny"])
        // One that points inside is who is there.
        try teach(("inside.a.test", 1, [("10.0.0.3", 60)]))
        let inside = try await explain("inside.a.test")
        #expect(inside.verdict == "deny" && inside.to.endpoint == "db")
        await #expect(throws: APIError.self) {
            try await state.explain(ExplainRequest(from: "api.a.test", to: "web", port: 1, protocol: nil))
        }
    }

    // MARK: Flows

    private func records(_ state: AgentState, _ change: (inout FlowQuery) -> Void) async throws -> [FlowRecord] {
        var query = FlowQuery()
        change(&query)
        var records: [FlowRecord] = []
        for await line in try await state.flows(query) {
            records.append(try APICoding.decode(FlowRecord.self, from: Array(line.dropLast())))
        }
        return records
    }

    private func see(_ direction: Direction, _ peer: String, identity: NumericIdentity = .world) throws {
        let own = try #require(IPAddress("10.0.0.2")), other = try #require(IPAddress(peer))
        var event = FlowEvent(
            timestamp: 0, verdict: .allow, reason: .none, direction: direction, state: .new, ipProtocol: .tcp,
            source: direction == .egress ? own : other, destination: direction == .egress ? other : own)
        event.endpoint = try endpoint(2)
        event.peerIdentity = identity
        aggregator.consume([event], wallClockOffset: 0)
    }

    @Test func `flows have the names of those outside, and can be chosen by them`() async throws {
        let state = try await agent(resolvers: [Self.resolver], policy: Self.policy)
        try teach(
            ("api.a.test", 1, [("198.51.100.1", 60), ("10.0.0.3", 60)]), ("cdn.test", 1, [("198.51.100.1", -60)]))
        try see(.egress, "198.51.100.1")
        try see(.ingress, "198.51.100.1")
        try see(.egress, "198.51.100.9")
        // A name that points inside is nobody's name there.
        try see(.egress, "10.0.0.3", identity: NumericIdentity(rawValue: 300))
        let all = try await records(state) { _ in }
        #expect(all.map(\.destination.names) == [["api.a.test", "cdn.test"], nil, nil, nil])
        #expect(all.map(\.source.names) == [nil, ["api.a.test", "cdn.test"], nil, nil])
        #expect(try await records(state) { $0.destinationNames = ["*.a.test"] }.map(\.direction) == ["egress"])
        #expect(try await records(state) { $0.sourceNames = ["x.test", "cdn.*"] }.map(\.direction) == ["ingress"])
        #expect(try await records(state) { $0.names = ["cdn.test"] }.count == 2)
        // The last that match, not those that match of the last.
        let last = try await records(state) {
            $0.names = ["cdn.test"]
            $0.last = 1
        }
        #expect(last.map(\.direction) == ["ingress"])
        await #expect(throws: APIError.self) { try await records(state) { $0.names = ["a b"] } }
    }

    @Test func `the table of names is read again for what is unknown, but not often`() throws {
        let reads = Counter()
        let name = try #require(DomainName("a.test")), address = IPAddress(v4: 1)
        let cache = LearntNameCache {
            reads.increment() == 1
                ? []
                : [LearntName(endpoint: 7, name: name, addresses: [.init(address: address, remaining: .zero)])]
        }
        let start = ContinuousClock.now
        #expect(cache.names(of: address, for: 7, now: start).isEmpty)
        #expect(cache.names(of: address, for: 7, now: start + .milliseconds(500)).isEmpty && reads.value == 1)
        #expect(cache.names(of: address, for: 7, now: start + .seconds(2)) == [name])
        #expect(cache.names(of: address, for: 8, now: start + .seconds(2)).isEmpty && reads.value == 2)
        #expect(cache.names(of: address, for: 7, now: start + .seconds(9)) == [name] && reads.value == 2)
        #expect(cache.names(of: address, for: 7, now: start + .seconds(30)) == [name] && reads.value == 3)
    }
}

/// Counts calls.
private final class Counter: Sendable {
    private let count = Mutex(0)

    var value: Int { count.withLock { $0 } }

    func increment() -> Int {
        count.withLock { count in
            count += 1
            return count
        }
    }
}
