// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import IdentityModel
import KernelDatapath
import NetworkModel
import Testing

@testable import AgentCore
@testable import LinuxHost

/// Audit mode of namespaces, from the API to the records of the kernel.
struct AuditModeTests {
    private static func update(_ state: AgentState, _ workloads: [Workload]) async {
        await state.update(source: "test", workloads: workloads, state: "ok", location: "")
        await state.settle()
    }

    private static func workload(_ name: String, in namespace: String, interface: UInt32) -> Workload {
        Workload(
            key: "test:\(name)", name: name, source: "test",
            labels: LabelSet([
                Label(source: LabelSource.kubernetes, key: "app", value: name),
                Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: namespace),
            ]), addresses: [IPAddress(v4: 0x0a00_0000 + interface)],
            interfaces: [.init(name: "veth\(interface)", index: interface)])
    }

    private static func options(_ datapath: InMemoryDatapath, _ interface: UInt32) -> EndpointOptions? {
        datapath.withContent { $0.endpoints[interface]?.options }
    }

    private static let policy = """
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: db, namespace: shop}
        spec: {podSelector: {matchLabels: {app: db}}}
        """

    @Test func `audit mode of a namespace holds for whom it has, whom it gets, and after a restart`() async throws {
        let scratch = try Scratch()
        let datapath = InMemoryDatapath()
        let web = Self.workload("web", in: "shop", interface: 2)
        let db = Self.workload("db", in: "shop", interface: 3)
        let other = Self.workload("other", in: "bank", interface: 5)
        let first = try await AgentState.adopted(in: scratch.path, datapath)
        await Self.update(first, [web, other])
        _ = try await first.applyPolicies(
            PolicyDocument(name: "p.yaml", text: Array(Self.policy.utf8)), options: ChangeOptions())
        let status = try await first.setNamespaceAudit("shop", true)
        #expect(status.auditedNamespaces == ["shop"])
        #expect(!status.audit)
        #expect(Self.options(datapath, 2) == .audit)
        #expect(Self.options(datapath, 5) == [])
        await Self.update(first, [web, db, other])
        #expect(Self.options(datapath, 3) == .audit, "who comes later is in it too")
        #expect(try await first.endpoint("db").audit)
        let request = ExplainRequest(from: "other", to: "shop/db", port: 80, protocol: "tcp")
        #expect(try await first.explain(request).verdict == "audit")

        let second = try await AgentState.adopted(in: scratch.path, datapath)
        await Self.update(second, [web, db, other])
        #expect(Self.options(datapath, 3) == .audit)
        #expect(try await second.setEndpointAudit("db", false).audit, "the namespace has its own")
        #expect(try await second.setNamespaceAudit("shop", false).auditedNamespaces == nil)
        #expect(Self.options(datapath, 3) == [])
        #expect(try await second.explain(request).verdict == "deny")
        await #expect(throws: APIError.self) { try await second.setNamespaceAudit("Shop/x", true) }
    }

    @Test func `audit mode that the kernel did not take is not there after a restart either`() async throws {
        let scratch = try Scratch()
        let datapath = InMemoryDatapath()
        let first = try await AgentState.adopted(in: scratch.path, datapath)
        datapath.withContent { $0.nextError = .incomplete }
        let error = await #expect(throws: APIError.self) { try await first.setAudit(true) }
        #expect(error?.code == .commitFailed)
        #expect(try await !first.status().audit)
        let second = try await AgentState.adopted(in: scratch.path, InMemoryDatapath())
        #expect(try await !second.status().audit)
    }
}
