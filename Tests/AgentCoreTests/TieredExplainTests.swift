// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import IdentityModel
import KernelDatapath
import NetworkModel
import Testing

@testable import AgentCore
@testable import LinuxHost

/// What `explain` says through the API with an AdminNetworkPolicy in force.
@Suite struct TieredExplainTests {
    private let scratch: Scratch
    private let client: ControlClient

    private static let policies = """
        apiVersion: policy.networking.k8s.io/v1alpha1
        kind: AdminNetworkPolicy
        metadata: {name: guard}
        spec:
          priority: 5
          subject: {namespaces: {}}
          ingress:
            - name: metrics
              action: Allow
              from: [{namespaces: {}}]
              ports: [{portNumber: {protocol: TCP, port: 9090}}]
            - name: db
              action: Pass
              from: [{namespaces: {}}]
              ports: [{portNumber: {protocol: TCP, port: 5432}}]
            - name: none
              action: Deny
              from: [{namespaces: {}}]
        ---
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: db, namespace: shop}
        spec:
          podSelector: {matchLabels: {app: db}}
          ingress: [{ports: [{port: 80}, {port: 5432}]}]

        """

    init() async throws {
        scratch = try Scratch()
        let state = try await AgentState.adopted(in: scratch.path)
        let workloads = [Self.workload("web", 2), Self.workload("db", 3)]
        await state.update(source: "test", workloads: workloads, state: "ok", location: "")
        client = ControlClient(
            transport: RouterTransport(router: ControlRouter(service: state, access: AccessRule { _ in true })))
        _ = try await client.applyPolicies(
            PolicyDocument(name: "p.yaml", text: Array(Self.policies.utf8)), options: ChangeOptions())
    }

    private static func workload(_ name: String, _ interface: UInt32) -> Workload {
        Workload(
            key: "test:\(name)", name: name, source: "test",
            labels: LabelSet([
                Label(source: LabelSource.kubernetes, key: "app", value: name),
                Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: "shop"),
            ]), addresses: [IPAddress(v4: 0x0a00_0000 + interface)],
            interfaces: [.init(name: "veth\(interface)", index: interface)])
    }

    private func ingress(_ port: UInt16) async throws -> ExplainedStep {
        let report = try await client.explain(
            ExplainRequest(from: "web", to: "db", port: port, protocol: "tcp", family: nil))
        return try #require(report.steps.first { $0.direction == "ingress" })
    }

    @Test func `an admin rule that denies wins, and the rules it beat are named with the reason`() async throws {
        let step = try await ingress(80)
        #expect(step.verdict == "deny" && step.tier == "admin" && step.passedBy == nil)
        #expect(step.cause == "AdminNetworkPolicy/guard ingress[2]" && step.source == "p.yaml:16:7")
        let beaten = try #require(step.matched.first { $0.rule == "NetworkPolicy/shop/db ingress[0]" })
        #expect(beaten.action == "allow" && beaten.note.contains("tier"), "\(beaten.note)")
        #expect(step.unmatched.map(\.rule).contains("AdminNetworkPolicy/guard ingress[0]"))
    }

    @Test func `an admin rule that allows wins over the default deny of a NetworkPolicy`() async throws {
        let step = try await ingress(9090)
        #expect(step.verdict == "allow" && step.tier == "admin")
        #expect(step.cause == "AdminNetworkPolicy/guard ingress[0]")
        #expect(step.matched.map(\.rule).contains("AdminNetworkPolicy/guard ingress[2]"), "the later deny matched too")
    }

    @Test func `a rule that passes is named, and the next tier decides`() async throws {
        let step = try await ingress(5432)
        #expect(step.verdict == "allow" && step.tier == "default")
        #expect(step.passedBy == ["AdminNetworkPolicy/guard ingress[1]"])
        #expect(step.cause == "NetworkPolicy/shop/db ingress[0]")
    }
}

/// Hands requests straight to a router: the whole API but the socket.
private struct RouterTransport: APITransport {
    let router: ControlRouter

    func send(_ request: OutgoingRequest) async throws -> APIResponse {
        await router.respond(
            to: APIRequest(
                method: request.method, path: request.path, query: request.query, body: request.body,
                peer: APIPeer(userID: 0, groupID: 0, processID: 1)))
    }
}
