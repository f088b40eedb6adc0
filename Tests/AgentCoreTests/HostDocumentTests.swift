// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import IdentityAllocation
import IdentityModel
import KernelDatapath
import NetworkModel
import PolicyCompiler
import PolicyModel
import PolicyReading
import Testing

@testable import AgentCore
@testable import LinuxHost

/// HostEndpoint and Profile of Calico, from the document to the verdict.
@Suite struct HostDocumentTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private static let endpoint = """
        apiVersion: projectcalico.org/v3
        kind: HostEndpoint
        metadata: {name: h, labels: {role: edge}}
        spec: {node: n1, interfaceName: "*", profiles: [projectcalico-default-allow]}

        """
    private static let policy = """
        apiVersion: projectcalico.org/v3
        kind: GlobalNetworkPolicy
        metadata: {name: g}
        spec:
          selector: role == 'edge'
          ingress: [{action: Allow, protocol: TCP, destination: {ports: [443]}}]

        """
    private static let profile = """
        apiVersion: projectcalico.org/v3
        kind: Profile
        metadata: {name: kns.lab}
        spec:
          labelsToApply: {role: edge}
          egress: [{action: Allow}]

        """

    private func agent(
        isHostEnabled: Bool = true, datapath: InMemoryDatapath = InMemoryDatapath()
    ) async throws -> AgentState {
        let state = try await AgentState.adopted(in: scratch.path, datapath, awaiting: ["host"]) {
            $0.nodeName = "n1"
            $0.hostEndpoint.isEnabled = isHostEnabled
            $0.hostEndpoint.devices = ["eth0"]
        }
        let host = Workload(
            key: "host", name: "host", source: "host",
            labels: LabelSet([Label(source: LabelSource.reserved, key: "host")]),
            addresses: [IPAddress(v4: 0xc000_0201)],
            interfaces: [.init(name: "eth0", index: 2)], options: [.host])
        let lab = [Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: "lab")]
        let web = Workload(
            key: "web", name: "web", source: "host", labels: LabelSet(lab), addresses: [IPAddress(v4: 0x0a00_0001)],
            interfaces: [.init(name: "veth1", index: 3)])
        await state.update(
            source: "host", workloads: (isHostEnabled ? [host] : []) + [web], state: "ok", location: "")
        return state
    }

    private func apply(_ state: AgentState, _ text: String) async throws {
        _ = try await state.applyPolicies(
            PolicyDocument(name: "p.yaml", text: Array(text.utf8)), options: ChangeOptions())
    }

    private func cause(_ state: AgentState, _ from: String, _ to: String, _ port: UInt16) async throws -> String {
        let report = try await state.explain(
            ExplainRequest(from: from, to: to, port: port, protocol: "tcp", family: nil))
        return "\(report.verdict) \(report.steps.first?.cause ?? "")"
    }

    @Test func `a HostEndpoint gives this host labels, and takes them away again`() async throws {
        let state = try await agent()
        try await apply(state, Self.policy)
        #expect(try await cause(state, "198.51.100.7", "host", 80).hasPrefix("allow"))
        try await apply(state, Self.endpoint)
        let denied = "deny no ingress rule of GlobalNetworkPolicy/g"
        #expect(try await cause(state, "198.51.100.7", "host", 80) == denied)
        #expect(try await cause(state, "198.51.100.7", "host", 443) == "allow GlobalNetworkPolicy/g ingress[0]")
        #expect(try await cause(state, "host", "198.51.100.7", 80) == "allow HostEndpoint/h profiles[0]")
        let labels = await state.inForce.workloads["host"]?.labels
        #expect(labels?.value(source: LabelSource.kubernetes, key: "role") == "edge")
        _ = try await state.deletePolicy("HostEndpoint/h", options: ChangeOptions())
        #expect(try await cause(state, "198.51.100.7", "host", 80).hasPrefix("allow"))
        #expect(await state.givenHostLabels.isEmpty)
    }

    @Test func `policies on forward make what passes through a subject, as long as there are any`() async throws {
        let datapath = InMemoryDatapath()
        let state = try await agent(datapath: datapath)
        try await apply(state, Self.endpoint)
        let before = datapath.withContent { $0.mapState }
        #expect(datapath.withContent { $0.stages }.isEmpty)
        let forward = Self.policy.replacing("  selector", with: "  applyOnForward: true\n  selector")
        try await apply(state, forward)
        let slot = try #require(datapath.withContent { $0.stages }[.forward])
        #expect(datapath.withContent { $0.mapState?.subjects[slot]?.defaultDeny } == [false, true])
        func verdicts(_ from: String, _ to: String, _ port: UInt16) async throws -> [String] {
            let report = try await state.explain(ExplainRequest(from: from, to: to, port: port, protocol: "tcp"))
            return [report.verdict] + report.steps.map { "\($0.title): \($0.verdict)" }
        }
        let (incoming, leaving) = ("ingress of what passes through the host", "egress of what passes through the host")
        #expect(
            try await verdicts("198.51.100.7", "203.0.113.9", 443) == [
                "allow", "\(incoming): allow", "\(leaving): allow",
            ])
        #expect(
            try await verdicts("198.51.100.7", "203.0.113.9", 80) == ["deny", "\(incoming): deny", "\(leaving): allow"])
        #expect(
            try await verdicts("198.51.100.7", "web", 80) == ["deny", "\(incoming): deny", "ingress of web: allow"])
        #expect(
            try await verdicts("web", "198.51.100.7", 80) == ["allow", "egress of web: allow", "\(leaving): allow"])
        // The same address behind another label is none: the host's labels select the stage too.
        _ = try await state.deletePolicy("HostEndpoint/h", options: ChangeOptions())
        #expect(try await verdicts("198.51.100.7", "203.0.113.9", 80).first == "allow")
        try await apply(state, Self.endpoint)
        _ = try await state.deletePolicy("GlobalNetworkPolicy/g", options: ChangeOptions())
        #expect(datapath.withContent { $0.stages }.isEmpty)
        #expect(datapath.withContent { $0.mapState }?.policy == before?.policy)
    }

    @Test func `a policy without flows is a stage of its own, and a step of explain where it has rules`() async throws {
        let datapath = InMemoryDatapath()
        let state = try await agent(datapath: datapath)
        try await apply(state, Self.endpoint)
        try await apply(
            state,
            Self.policy.replacing("  selector", with: "  applyOnForward: true\n  doNotTrack: true\n  selector"))
        let stages = datapath.withContent { $0.stages }
        let slot = try #require(stages[.untracked])
        #expect(stages[.forward] == nil)
        #expect(datapath.withContent { $0.mapState?.subjects[slot]?.defaultDeny } == [false, false])
        func verdicts(_ from: String, _ to: String, _ port: UInt16) async throws -> [String] {
            let report = try await state.explain(ExplainRequest(from: from, to: to, port: port, protocol: "tcp"))
            return [report.verdict] + report.steps.map { "\($0.title): \($0.verdict)" }
        }
        #expect(try await verdicts("198.51.100.7", "host", 443) == ["allow", "untracked ingress of host: allow"])
        #expect(
            try await verdicts("198.51.100.7", "host", 80) == [
                "allow", "untracked ingress of host: allow", "ingress of host: allow",
            ])
        #expect(
            try await verdicts("198.51.100.7", "203.0.113.9", 443) == [
                "allow", "untracked ingress of what passes through the host: allow",
                "egress of what passes through the host: allow",
            ])
        _ = try await state.deletePolicy("GlobalNetworkPolicy/g", options: ChangeOptions())
        #expect(datapath.withContent { $0.stages }.isEmpty)
    }

    @Test func `a policy without flows is the host's, and what it lets in hints at answers`() async throws {
        let state = try await agent()
        try await apply(state, Self.endpoint)
        let early = Self.policy.replacing("  selector", with: "  applyOnForward: true\n  doNotTrack: true\n  selector")
        try await apply(state, early)
        #expect(try await state.policy("GlobalNetworkPolicy/g").endpoints == ["host"])
        func hints(_ port: UInt16) async throws -> [String?] {
            try await state.explain(ExplainRequest(from: "198.51.100.7", to: "host", port: port, protocol: "tcp"))
                .steps.map(\.hint)
        }
        let hint = try #require(try await hints(443).first ?? nil)
        #expect(hint.contains("no flow is kept") && hint.contains("(untracked egress)"))
        #expect(try await hints(80) == [nil, nil], "left to the policies about flows, which keep one")
        try await apply(state, early.replacing("action: Allow", with: "action: Deny"))
        #expect(try await hints(443) == [nil])
        try await apply(state, early.replacing("role == 'edge'", with: "role == 'core'"))
        #expect(try await state.policy("GlobalNetworkPolicy/g").endpoints == [])
    }

    @Test func `where the host is no endpoint nothing is said about ways into it`() async throws {
        func codes(isHostEnabled: Bool) async throws -> [String] {
            let folder = try Scratch()
            let state = try await AgentState.adopted(in: folder.path, InMemoryDatapath(), awaiting: []) {
                $0.hostEndpoint.isEnabled = isHostEnabled
                $0.hostEndpoint.devices = ["eth0"]
                $0.hostEndpoint.failsafes = []
            }
            let text = Self.policy.replacing("role == 'edge'", with: "has(host-endpoint)")
            let report = try await state.lintPolicies(LintRequest(documents: [.init(name: "p.yaml", text: text)]))
            return report.findings.map(\.diagnostic.code)
        }
        #expect(try await codes(isHostEnabled: true).contains("BH2116"))
        let off = try await codes(isHostEnabled: false)
        #expect(off.contains("BH2101") && !off.contains("BH2116"))
    }

    @Test func `a HostEndpoint without a profile closes the host, but not SSH`() async throws {
        let state = try await agent()
        try await apply(state, Self.endpoint.replacing(", profiles: [projectcalico-default-allow]", with: ""))
        #expect(try await cause(state, "198.51.100.7", "host", 80).hasPrefix("deny no ingress rule of HostEndpoint/h"))
        #expect(try await cause(state, "host", "198.51.100.7", 80).hasPrefix("deny"))
        #expect(try await cause(state, "198.51.100.7", "host", 22).hasPrefix("allow"))
    }

    @Test func `what is about another host or one device of several says nothing here, or is refused`() async throws {
        let state = try await agent()
        try await apply(state, Self.endpoint.replacing("node: n1", with: "node: n2"))
        #expect(try await cause(state, "host", "198.51.100.7", 80).hasPrefix("allow no policy"))
        try await apply(state, Self.endpoint.replacing("\"*\"", with: "eth0"))
        let error = await #expect(throws: APIError.self) {
            try await apply(state, Self.endpoint.replacing("\"*\"", with: "eth1"))
        }
        #expect(error?.message.contains("is about device eth1 alone") ?? false)
        #expect(try await cause(state, "host", "198.51.100.7", 80) == "allow HostEndpoint/h profiles[0]")
    }

    @Test func `where the host is no endpoint a file about it is left out and named, and the others count`()
        async throws
    {
        try createDirectory("\(scratch.path)/policies")
        try AtomicFile.write(Array(Self.endpoint.utf8), to: "\(scratch.path)/policies/host.yaml")
        try AtomicFile.write(Array(Self.profile.utf8), to: "\(scratch.path)/policies/lab.yaml")
        let state = try await agent(isHostEnabled: false)
        #expect(await state.hostProblem.contains("which is no endpoint"))
        #expect(await state.inForce.policies.keys.map(\.text) == ["Profile/kns.lab"])
        #expect(try await cause(state, "198.51.100.7", "web", 80) == "deny no ingress rule of Profile/kns.lab")
    }

    @Test func `labels of a profile make policies select its workloads, also one that comes before it`() async throws {
        let state = try await agent()
        try await apply(state, Self.policy)
        #expect(try await cause(state, "198.51.100.7", "web", 80).hasPrefix("allow"))
        try await apply(state, Self.profile)
        #expect(try await cause(state, "198.51.100.7", "web", 80) == "deny no ingress rule of GlobalNetworkPolicy/g")
        #expect(try await cause(state, "web", "198.51.100.7", 80) == "allow Profile/kns.lab egress[0]")
        // So with workloads of other hosts, whether they come before what gives or behind it.
        let denied = "deny no ingress rule of GlobalNetworkPolicy/g"
        let other = RemoteWorkload(
            labels: LabelSet([Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: "lab")]),
            addresses: [IPAddress(v4: 0x0a00_0002)])
        await state.update(remotes: RemoteDelta(setting: ["remote:t/other": other]))
        #expect(await state.identityLabels(of: IPAddress(v4: 0x0a00_0002)).contains("role=edge"))
        #expect(await state.remotes["remote:t/other"] == other)
        _ = try await state.deletePolicy("Profile/kns.lab", options: ChangeOptions())
        #expect(await !state.identityLabels(of: IPAddress(v4: 0x0a00_0002)).contains("role=edge"))
        try await apply(state, Self.profile)
        #expect(await state.identityLabels(of: IPAddress(v4: 0x0a00_0002)).contains("role=edge"))
        await state.update(remotes: [:], keysWith: "remote:t/")
        #expect(await state.remotes.isEmpty)
        #expect(try await cause(state, "198.51.100.7", "web", 80) == denied)
        // What is given is nothing that a restart remembers.
        #expect(await state.inForce.workloads["web"]?.ownLabels.labels.count == 1)
    }
}

extension HostDocumentTests {
    private func plan(_ state: AgentState, _ change: PlannedChange) async throws -> [String] {
        try await state.planPolicies(change, limit: 20).changes.map {
            "\($0.from) -> \($0.to) \($0.traffic): \($0.before) becomes \($0.after)"
        }
    }

    private func document(_ text: String) -> PolicyDocument { PolicyDocument(name: "p.yaml", text: Array(text.utf8)) }

    @Test func `a plan judges with the labels that changed documents give`() async throws {
        let state = try await agent()
        try await apply(state, Self.policy)
        func isClosed(_ changes: [String], _ end: String) -> Bool {
            changes.contains { $0.hasPrefix("world -> host everything but ") && $0.hasSuffix(end) }
        }
        #expect(isClosed(try await plan(state, .apply([document(Self.endpoint)])), "allow becomes deny"))
        #expect(
            try await plan(state, .apply([document(Self.profile)])) == [
                "world -> lab/web everything but tcp/443: allow becomes deny"
            ])
        let reports = try await state.diffPolicies(document(Self.profile), limit: 20)
        #expect(reports.plan?.changes.count == 1)
        #expect(try await cause(state, "198.51.100.7", "web", 80).hasPrefix("allow"), "nothing was changed")
        try await apply(state, Self.endpoint)
        try await apply(state, Self.profile)
        let opened = "world -> lab/web everything but tcp/443: deny becomes allow"
        #expect(try await plan(state, .delete("Profile/kns.lab")).contains(opened))
        #expect(isClosed(try await plan(state, .delete("HostEndpoint/h")), "deny becomes allow"))
        // Other labels for who is selected by them: the policy is the same one.
        let renamed = Self.endpoint.replacing("role: edge", with: "role: core")
        #expect(isClosed(try await plan(state, .apply([document(renamed)])), "deny becomes allow"))
    }

    @Test func `a plan counts what passes through the host, by its peer and direction`() async throws {
        let state = try await agent()
        try await apply(state, Self.endpoint)
        let forward = Self.policy.replacing("  selector", with: "  applyOnForward: true\n  selector")
        let report = try await state.planPolicies(.apply([document(forward)]), limit: 20)
        let passing = report.changes.filter { $0.stage != nil }
        #expect(report.total == report.changes.count)
        #expect(
            passing.map { "\($0.from) -> \($0.to) \($0.traffic): \($0.after)" } == [
                "world -> what passes through the host everything but tcp/443: deny"
            ])
        #expect(passing.first?.stage == "forward" && passing.first?.direction == "ingress")
        let reports = try await state.diffPolicies(document(forward), limit: 20)
        #expect(reports.plan?.changes == report.changes)
        try await apply(state, forward)
        let opened = "world -> what passes through the host everything but tcp/443: deny becomes allow"
        #expect(try await plan(state, .delete("GlobalNetworkPolicy/g")).contains(opened))
        // Without its label the host's stage is selected no more.
        #expect(try await plan(state, .delete("HostEndpoint/h")).contains(opened))
    }

    @Test func `a document that gives one namespace something touches nobody else`() throws {
        let engine = PolicyEngine(
            identities: .init(), rules: RuleRegistry().snapshot, options: CompileOptions())
        func labels(_ namespace: Int) -> LabelSet {
            LabelSet([Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: "n\(namespace)")])
        }
        func profile(_ namespace: Int, _ value: String) throws -> Policy {
            let text = Self.profile.replacing("kns.lab", with: "kns.n\(namespace)").replacing("edge", with: value)
            return try #require(PolicyReader().read(text, file: "p.yaml").policies.first)
        }
        var change = EngineChange(policies: PolicyDelta(setting: try (0..<20).map { try profile($0, "a") }))
        change.workloads = Dictionary(
            uniqueKeysWithValues: (0..<40).map { number in
                let key = "w\(number)"
                return (
                    key,
                    Workload(
                        key: key, name: key, source: "t", labels: labels(number % 20), addresses: [], interfaces: [])
                )
            })
        for number in 0..<60 {
            change.remotes["remote:t/\(number)"] = RemoteWorkload(
                labels: labels(number % 20), addresses: [IPAddress(v4: 0x0a00_0000 + UInt32(number))])
        }
        let own = change.workloads
        _ = try engine.prepare(change)
        engine.accept()
        #expect(engine.input.workloads.values.allSatisfy { $0.labels.has(source: "any", key: "role") { $0 == "a" } })
        // The sources say the same again, and one workload is another one.
        var again = EngineChange(workloads: own)
        again.workloads?["w7"]?.namedPorts = NamedPorts([NamedPort(proto: .tcp, name: "http"): [80]])
        let granted = engine.granting(again)
        let others = try #require(granted.workloads).filter { engine.input.workloads[$0.key] != $0.value }
        #expect(others.keys.sorted() == ["w7"] && others["w7"]?.labels.has(source: "any", key: "role") == true)
        // Another profile for one of twenty namespaces.
        let next = engine.granting(EngineChange(policies: PolicyDelta(setting: [try profile(3, "b")])))
        let touched = try #require(next.workloads).filter { engine.input.workloads[$0.key] != $0.value }
        #expect(touched.keys.sorted() == ["w23", "w3"])
        #expect(next.remotes.keys.sorted() == ["remote:t/23", "remote:t/3", "remote:t/43"])
        #expect(engine.granting(EngineChange(policies: PolicyDelta(setting: [try profile(3, "a")]))).workloads == nil)
    }
}

extension AgentState {
    fileprivate var inForce: EngineInput { engine.input }

    fileprivate var hostProblem: String { problems["host documents"]?.message ?? "" }

    fileprivate var remotes: [String: RemoteWorkload] { engine.remotes }

    fileprivate func identityLabels(of address: IPAddress) -> String {
        engine.allocator.records.values.first { $0.identity == engine.allocator.mappings[CIDR(host: address)] }?.labels
            .description ?? ""
    }

    fileprivate var givenHostLabels: [Label] { engine.hostLabels }
}
