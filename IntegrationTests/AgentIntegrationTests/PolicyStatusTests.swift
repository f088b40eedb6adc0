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
