// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Glibc
import TestBed
import Testing

/// A node of a Kubernetes cluster, with real agent, kernel and traffic; only the API server is a double.
@Suite(.serialized) struct KubernetesTests {
    /// A server and a client on this node, and a pod of another node that the agent knows by its address alone.
    private struct Pods {
        let field: KubernetesField
        let server: TestWorkload
        let client: TestWorkload
        let far: TestWorkload

        init(_ bed: TestBed) async throws {
            field = try await KubernetesField(bed)
            server = try await field.host.addWorkload("srv", number: 2)
            client = try await field.host.addWorkload("cli", number: 3)
            far = try await field.host.addWorkload("far", number: 4)
            try server.startEchoes()
            try await field.announce(server, "server", number: 2)
            try await field.announce(client, "client", number: 3)
            try await field.announce(far, "far", number: 4, namespace: "lab", node: "n2")
            try await field.run(server, number: 2)
            try await field.run(client, number: 3)
            try await eventually("the server listens") { try await client.canConnect(to: server.address6, port: 80) }
        }

        /// Who reaches the server.
        func expect(_ clients: Set<String>, _ moment: String) async throws {
            for (name, workload) in [("client", client), ("far", far)] {
                try await eventually("\(moment): \(name) reaches the server: \(clients.contains(name))") {
                    let first = try await workload.canConnect(to: server.address4, port: 80)
                    let second = try await workload.canConnect(to: server.address6, port: 80)
                    return first == clients.contains(name) && second == clients.contains(name)
                }
            }
        }
    }

    @Test func `pods are endpoints, and the cluster's policies are about them`() async throws {
        try await withTestBed(subnet: 96) { bed in
            let pods = try await Pods(bed)
            let agent = try await pods.field.start()
            try await pods.field.awaitAttached(2)
            try await pods.expect(["client", "far"], "without a policy")
            try await pods.field.allow("client")
            try await pods.expect(["client"], "by label")
            try await pods.field.allow("far", namespaceLabel: "b")
            try await pods.expect(["far"], "a pod of another node, by the labels of its namespace")
            // The namespace is another team's now: its pods are nobody that the policy means.
            try await pods.field.put("namespaces/lab", #"{"metadata":{"labels":{"team":"c"}}}"#)
            try await pods.expect([], "after the namespace was relabelled")
            try await pods.field.put("namespaces/lab", #"{"metadata":{"labels":{"team":"b"}}}"#)
            try await pods.expect(["far"], "and back")
            let status = try await pods.field.control.status()
            #expect(status.cluster?.policies == 1 && status.cluster?.workloads == 1 && status.condition == .ready)
            let endpoints = try await pods.field.control.endpoints()
            #expect(endpoints.map(\.name).sorted() == ["shop/client", "shop/server"])
            // A pod that comes later, at the address of one that ends.
            try await pods.field.allow("late")
            try await pods.expect([], "nobody is late")
            try await pods.field.announce(pods.client, "client", number: 3, phase: "Succeeded")
            try await pods.field.announce(pods.client, "late", number: 5)
            try await pods.field.run(pods.client, number: 5)
            try await pods.expect(["client"], "the same place, another pod")
            try await pods.field.remove("/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/server")
            try await pods.expect(["client", "far"], "the policy is gone")
            try await pods.field.remove("namespaces/shop/pods/late")
            try await pods.field.awaitAttached(1)
            kill(agent.pid, SIGTERM)
            #expect(try await agent.waitForExit(within: .seconds(20)) == 0)
        }
    }

    @Test func `a silent API changes nothing, also for an agent that starts meanwhile`() async throws {
        try await withTestBed(subnet: 97) { bed in
            let pods = try await Pods(bed)
            var agent = try await pods.field.start()
            try await pods.field.awaitAttached(2)
            try await pods.field.allow("far", namespaceLabel: "b")
            try await pods.expect(["far"], "before")
            // What is known is on disk once the agent ends in order.
            kill(agent.pid, SIGTERM)
            #expect(try await agent.waitForExit(within: .seconds(20)) == 0)
            kill(pods.field.api.pid, SIGSTOP)
            try await pods.expect(["far"], "without an agent")
            agent = try await pods.field.start()
            try await pods.field.awaitAttached(2, isConnected: false)
            try await pods.expect(["far"], "an agent without an API")
            let status = try await pods.field.control.status()
            #expect(status.cluster?.remembered == true && status.cluster?.currentAt != nil)
            #expect(status.condition == .degraded)
            #expect(status.problems.contains { $0.subject == "kubernetes" && $0.message.contains("stays in force") })
            // Killed in the middle of that, too.
            kill(agent.pid, SIGKILL)
            _ = try await agent.waitForExit(within: .seconds(20))
            try await pods.expect(["far"], "killed")
            agent = try await pods.field.start()
            try await pods.expect(["far"], "started again")
            kill(pods.field.api.pid, SIGCONT)
            try await pods.field.awaitAttached(2)
            try await pods.field.allow("client")
            try await pods.expect(["client"], "the API is back")
            kill(agent.pid, SIGTERM)
            #expect(try await agent.waitForExit(within: .seconds(20)) == 0)
        }
    }
}
