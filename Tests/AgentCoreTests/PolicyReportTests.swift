// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import ControlAPI
import IdentityModel
import KernelDatapath
import KubernetesClient
import NetworkModel
import PolicyModel
import Testing

@testable import AgentCore

/// What a node says of its cluster's policies.
@Suite struct PolicyReportTests {
    private let scratch: Scratch
    private static let kind = ResourceKind.networkPolicies.description

    init() throws { scratch = try Scratch() }

    private static func key(_ name: String) -> String { "\(kind)/shop/\(name)" }

    private static func mark(_ name: String, _ generation: Int = 1) -> DocumentMark {
        DocumentMark(key: key(name), uid: name, generation: generation)
    }

    private static func text(_ name: String, _ type: String = "Ingress", annotations: String = "") -> [UInt8] {
        Array(
            (#"{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"\#(name)","#
                + #""namespace":"shop"\#(annotations)},"spec":{"podSelector":{},"policyTypes":["\#(type)"]}}"#).utf8)
    }

    private func node(
        _ name: String, _ datapath: InMemoryDatapath = InMemoryDatapath(),
        _ configure: @escaping (inout AgentConfiguration) -> Void = { _ in }
    ) async throws -> AgentState {
        let state = try await AgentState.adopted(in: "\(scratch.path)/\(name)", datapath) {
            $0.nodeName = "here"
            configure(&$0)
        }
        await state.join("kubernetes", remembered: nil)
        return state
    }

    private func tell(_ state: AgentState, _ documents: [String: [UInt8]], generation: Int = 1) async {
        var content = ClusterContent(documents: documents)
        for key in documents.keys where key.hasPrefix(Self.kind) {
            content.marks[key] = Self.mark(String(key.split(separator: "/").last ?? ""), generation)
        }
        var letters = ClusterMailbox.Letters()
        letters.add(.snapshot(content))
        await state.update(cluster: letters)
    }

    private func change(_ state: AgentState, _ name: String, _ text: [UInt8]?, generation: Int = 1) async {
        var delta = ClusterDelta(documents: [Self.key(name): text])
        if text != nil { delta.marks[Self.key(name)] = Self.mark(name, generation) }
        var letters = ClusterMailbox.Letters()
        letters.add(.delta(delta))
        await state.update(cluster: letters)
    }

    @Test func `nothing is told before the cluster is known, then what was seen, and that all of it is in force`()
        async throws
    {
        let state = try await node("one")
        #expect(await state.policyReport() == nil)
        await tell(state, [Self.key("a"): Self.text("a"), Self.key("b"): Self.text("b"), "services/shop/x": []])
        let report = try #require(await state.policyReport())
        var digest = DocumentDigest()
        digest.add(Self.mark("a"))
        digest.add(Self.mark("b"))
        #expect(report.digests[Self.kind] == digest && report.exceptions.isEmpty && report.problem.isEmpty)
        await change(state, "b", nil)
        digest.remove(Self.mark("b"))
        #expect(await state.policyReport()?.digests[Self.kind] == digest)
        await tell(state, [Self.key("b"): Self.text("b")])
        #expect(await state.policyReport()?.digests[Self.kind]?.count == 1, "a list takes the place of all")
    }

    @Test func `nodes are counted`() async throws {
        let state = try await node("nodes")
        func text(_ name: String) -> [UInt8] {
            Array(#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"\#(name)"},"status":{}}"#.utf8)
        }
        await tell(state, ["nodes/n1": text("n1"), "nodes/n2": text("n2"), Self.key("a"): Self.text("a")])
        #expect(await state.clusterNodeCount == 2)
        for (key, gone) in [("nodes/n3", false), ("nodes/n1", true), ("nodes/n3", false)] {
            var letters = ClusterMailbox.Letters()
            letters.add(.delta(ClusterDelta(documents: [key: gone ? nil : text("n")])))
            await state.update(cluster: letters)
        }
        #expect(await state.clusterNodeCount == 2)
        await tell(state, ["nodes/n2": text("n2")])
        #expect(await state.clusterNodeCount == 1)
    }

    @Test func `what is refused is told with the reason in one line, until it is right or gone`() async throws {
        let state = try await node("refused")
        await tell(state, [Self.key("a"): Self.text("a"), Self.key("b"): Self.text("b", "Sideways")])
        let exception = await state.policyReport()?.exceptions[Self.key("b")]
        #expect(exception?.state == .refused && exception?.generation == 1)
        let message = exception?.message ?? ""
        #expect(message.contains("Sideways") && message.contains("spec.policyTypes[0]"), "\(message)")
        #expect(!message.contains("\n") && !message.contains("-->"))
        await change(state, "b", Self.text("b", "Egress"), generation: 2)
        #expect(await state.policyReport()?.exceptions.isEmpty == true)
        await change(state, "a", Self.text("a", "Upwards"), generation: 2)
        #expect(await state.policyReport()?.exceptions.map(\.value.generation) == [2])
        await change(state, "a", nil)
        #expect(await state.policyReport()?.exceptions.isEmpty == true)
    }

    @Test func `what the kernel did not take waits, with the reason`() async throws {
        let datapath = InMemoryDatapath()
        let state = try await node("commit", datapath)
        let pod = Workload(
            key: "test:web", name: "web", source: "test",
            labels: LabelSet([Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: "shop")]),
            addresses: [IPAddress(v4: 0x0acb_0001)], interfaces: [])
        await state.update(source: "test", workloads: [pod], state: "ok", location: "")
        await tell(state, [:])
        datapath.withContent { $0.nextError = .incomplete }
        await change(state, "a", Self.text("a"))
        let exception = await state.policyReport()?.exceptions[Self.key("a")]
        #expect(exception?.state == .waiting, "\(String(describing: exception))")
        #expect(exception?.message.isEmpty == false)
        await state.retryCommit()
        #expect(await state.policyReport()?.exceptions.isEmpty == true)
    }

    @Test func `a policy of the node wins, and one whose time is over is not in force`() async throws {
        let state = try await node("own")
        let past = #","annotations":{"bulkhead.dev/validUntil":"2020-01-01T00:00:00Z"}"#
        await tell(state, [Self.key("a"): Self.text("a"), Self.key("b"): Self.text("b", annotations: past)])
        _ = try await state.applyPolicies(
            [.init(name: "p.yaml", text: Self.text("a", "Egress"))], options: .init())
        let exceptions = await state.policyReport()?.exceptions ?? [:]
        #expect(exceptions[Self.key("a")]?.message == "a policy of this name was applied on the node")
        #expect(exceptions[Self.key("b")]?.message == "its time is over")
    }

    @Test func `a node that runs dry has nothing in force, one in audit mode says so`() async throws {
        let dry = try await node("dry") { $0.isDryRun = true }
        await tell(dry, [:])
        #expect(await dry.policyReport()?.problem.contains("runs dry") == true)
        let audit = try await node("audit") { $0.isAudit = true }
        await tell(audit, [:])
        #expect(await audit.policyReport()?.isAudit == true)
    }
}
