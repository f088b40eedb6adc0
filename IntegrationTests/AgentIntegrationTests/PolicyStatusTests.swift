// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

/// What policies of a cluster say of themselves, with a real node, a real controller and a double of the API server.
@Suite(.serialized) struct PolicyStatusTests {
    private static let wrong = #""fromCIDR":["nowhere"]"#
    private static let right = #""fromEndpoints":[{"matchLabels":{"app":"client"}}]"#

    @Test func `a policy that is refused says so, and its correction is in force on two of two nodes`() async throws {
        try await withTestBed(subnet: 46) { bed in
            let cluster = try await PolicyStatusField(bed)
            try await cluster.put("web", Self.wrong)
            let agent = try await cluster.field.start()
            let controller = try cluster.controller()
            try await cluster.await("Accepted", "False", of: "web", "n1")
            try await cluster.await("InForce", "False", of: "web", "in force on 0 of 1 nodes; not on n1 (BH")
            let report = try await cluster.field.get("\(PolicyStatusField.reports)/n1") ?? ""
            #expect(report.contains("node-n1"), "it goes with its node")
            #expect(report.contains("Refused"))

            try await cluster.put("web", Self.right)
            try await cluster.await("Accepted", "True", of: "web")
            try await cluster.await("InForce", "True", of: "web", "in force on 1 of 1 nodes")
            try await cluster.copyReport(to: "n2")
            try await cluster.await("InForce", "True", of: "web", "in force on 2 of 2 nodes")
            // Another one has seen less than this one.
            try await cluster.put("late", Self.right)
            try await cluster.await("InForce", "False", of: "late", "in force on 1 of 2 nodes; not on n2")
            try await cluster.await("InForce", "True", of: "web", "in force on 2 of 2 nodes")
            try await cluster.copyReport(to: "n2")
            try await cluster.await("InForce", "True", of: "late", "in force on 2 of 2 nodes")
            #expect(try await cluster.field.control.status().condition == .ready)
            try await cluster.end(controller)
            try await cluster.end(agent)
        }
    }

    @Test func `conditions of others stay, and what may not be written is said and left`() async throws {
        try await withTestBed(subnet: 47) { bed in
            let cluster = try await PolicyStatusField(bed)
            try await cluster.field.put(
                "\(PolicyStatusField.cilium)/web",
                #"{"spec":{"endpointSelector":{},"ingress":[{\#(Self.right)}]},"status":{"conditions":["#
                    + #"{"type":"Valid","status":"True","message":"theirs"}]}}"#)
            try await cluster.field.fail(
                #"{"fault":"forbidden","resource":"ciliumnetworkpolicies","verb":"patch"}"#)
            let agent = try await cluster.field.start()
            let controller = try cluster.controller()
            try await eventually("the controller says what it may not", within: .seconds(60)) {
                try await cluster.controllerStatus().contains("status of ciliumnetworkpolicies.cilium.io")
            }
            #expect(try await cluster.conditions("web").map(\.type) == ["Valid"])
            try await cluster.field.clearFaults()
            try await cluster.await("InForce", "True", of: "web", within: .seconds(120))
            #expect(try await cluster.conditions("web").contains { $0.type == "Valid" && $0.message == "theirs" })
            try await cluster.end(controller)
            try await cluster.end(agent)
        }
    }

    @Test func `a policy that is refused gets one Event, also of a kind without a status`() async throws {
        try await withTestBed(subnet: 47) { bed in
            let cluster = try await PolicyStatusField(bed)
            try await cluster.put("web", Self.wrong)
            try await cluster.field.put(
                "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/plain",
                #"{"metadata":{"uid":"plain-1"},"spec":{"podSelector":{},"policyTypes":["Sideways"]}}"#)
            let agent = try await cluster.field.start()
            var controller = try cluster.controller()
            try await eventually("both are told of", within: .seconds(60)) {
                try await Set(cluster.events("PolicyRefused").map { $0.regarding?.name }) == ["web", "plain"]
            }
            let plain = try await cluster.events("PolicyRefused").first { $0.regarding?.name == "plain" }
            #expect(plain?.regarding?.uid == "plain-1" && plain?.regarding?.kind == "NetworkPolicy")
            #expect(plain?.note?.contains("Sideways") == true, "\(plain?.note ?? "")")
            // Another one leads, and tells of the same.
            try await cluster.end(controller)
            controller = try cluster.controller("two")
            try await eventually("it is told again, not anew", within: .seconds(60)) {
                try await cluster.events("PolicyRefused").allSatisfy { $0.series?.count == 2 }
            }
            #expect(try await cluster.events("PolicyRefused").count == 2)
            try await cluster.put("web", Self.right)
            try await cluster.await("Accepted", "True", of: "web")
            try await cluster.put("web", #""fromCIDR":["elsewhere"]"#)
            try await eventually("another mistake is another Event", within: .seconds(60)) {
                try await cluster.events("PolicyRefused").count == 3
            }
            #expect(try await cluster.events("PolicyNotInForce").isEmpty)
            try await cluster.end(controller)
            try await cluster.end(agent)
        }
    }

    @Test func `where Events may not be written, conditions are all the same`() async throws {
        try await withTestBed(subnet: 46) { bed in
            let cluster = try await PolicyStatusField(bed)
            try await cluster.put("web", Self.wrong)
            try await cluster.field.fail(#"{"fault":"forbidden","resource":"events","verb":"create"}"#)
            let agent = try await cluster.field.start()
            let controller = try cluster.controller()
            try await eventually("the controller says what it may not", within: .seconds(60)) {
                try await cluster.controllerStatus().contains(#""events":"they cannot be written"#)
            }
            try await cluster.await("Accepted", "False", of: "web")
            try await cluster.put("web", Self.right)
            try await cluster.await("InForce", "True", of: "web")
            try await cluster.end(controller)
            try await cluster.end(agent)
        }
    }

    /// A server of this node, and a client of it that its policy does not let in.
    private func denying(_ cluster: PolicyStatusField) async throws -> (server: TestWorkload, client: TestWorkload) {
        let field = cluster.field
        let server = try await field.host.addWorkload("srv", number: 2)
        let client = try await field.host.addWorkload("cli", number: 3)
        try server.startEchoes()
        try await field.announce(server, "server", number: 2)
        try await field.announce(client, "client", number: 3)
        try await field.run(server, number: 2)
        try await field.run(client, number: 3)
        try await field.allow("nobody")
        return (server, client)
    }

    @Test func `a denied packet is one Event on the pod, and a thousand are no thousand`() async throws {
        try await withTestBed(subnet: 47) { bed in
            let cluster = try await PolicyStatusField(bed)
            let pods = try await denying(cluster)
            let agent = try await cluster.field.start()
            try await cluster.field.awaitAttached(2)
            try await eventually("the policy is in force", within: .seconds(30)) {
                try await !pods.client.canConnect(to: pods.server.address4, port: 80)
            }
            try await eventually("the pod is told", within: .seconds(30)) {
                try await !cluster.events("TrafficDenied").isEmpty
            }
            let event = try await cluster.events("TrafficDenied").first
            #expect(event?.regarding?.kind == "Pod" && event?.regarding?.name == "server")
            let note = event?.note ?? ""
            #expect(note.contains("ingress tcp/80 from shop/client (\(pods.client.address4))"), "\(note)")
            _ = try await pods.client.namespace.run([
                "sh", "-c",
                "for i in $(seq 1000); do echo x | nc -u -w 0 -q 0 \(pods.server.address4) 99; done 2>/dev/null",
            ])
            try await eventually("what is in no Event is counted", within: .seconds(30)) {
                let status = try await cluster.field.control.status()
                return status.events.verdicts["deny"] ?? 0 >= 1000
            }
            try await Task.sleep(for: .seconds(3))
            #expect(try await cluster.events("TrafficDenied").count == 1)
            let telling = try await cluster.field.control.status().cluster?.telling
            #expect(telling?.events == 1 && telling?.eventProblem == nil)
            try await cluster.end(agent)
        }
    }

    @Test func `without the right to write Events a node says so, and reports all the same`() async throws {
        try await withTestBed(subnet: 46) { bed in
            let cluster = try await PolicyStatusField(bed)
            try await cluster.field.fail(#"{"fault":"forbidden","resource":"events","verb":"create"}"#)
            let pods = try await denying(cluster)
            let agent = try await cluster.field.start()
            try await cluster.field.awaitAttached(2)
            try await eventually("status tells, and how much is untold", within: .seconds(60)) {
                _ = try await pods.client.canConnect(to: pods.server.address4, port: 80)
                let telling = try await cluster.field.control.status().cluster?.telling
                return telling?.eventProblem != nil && telling?.deniedUntold ?? 0 > 0
            }
            let status = try await cluster.field.control.status()
            #expect(status.condition == .ready && status.cluster?.telling?.reports ?? 0 > 0)
            try await cluster.end(agent)
        }
    }

    @Test func `without the definition a node says that it does not report, and goes on`() async throws {
        try await withTestBed(subnet: 46) { bed in
            let field = try await KubernetesField(bed)
            let agent = try await field.start()
            try await field.allow("client")
            try await eventually("status tells", within: .seconds(30)) {
                try await field.control.status().cluster?.telling?.reportProblem?.contains("not installed") == true
            }
            let status = try await field.control.status()
            #expect(status.condition == .ready && status.cluster?.policies == 1)
            try await PolicyStatusField(field).end(agent)
        }
    }
}
