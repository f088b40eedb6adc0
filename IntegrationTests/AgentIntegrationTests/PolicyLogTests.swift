// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Glibc
import LinuxHost
import TestBed
import Testing

/// Verdicts as lines of a file: real agent, kernel and traffic.
@Suite(.serialized) struct PolicyLogTests {
    /// The members of a line that the tests look at.
    private struct Line: Decodable {
        struct Connection: Decodable {
            var src_ip: String
            var dest_ip: String
            var dest_port: Int?
            var direction: String
        }
        struct Policy: Decodable, Equatable {
            var kind: String
            var namespace: String?
            var name: String
        }
        struct Side: Decodable {
            var pod_name: String?
            var pod_namespace: String?
            var instance: String?
        }
        var connection: Connection?
        var disposition: String?
        var policies: [Policy]?
        var src: Side?
        var dest: Side?
        var count: UInt64?
        var node_name: String
        var not_written: UInt64?
    }

    private func lines(_ path: String) throws -> [Line] {
        guard let text = try? readTextFile(path) else { return [] }
        return try text.split(separator: "\n").map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
    }

    @Test func `a policy with the annotation has its verdicts in the log, another has not`() async throws {
        try await withTestBed(subnet: 99) { bed in
            let path = bed.path("policy.log")
            let shop = try await Shop(bed, configuration: "nodeName: n1\npolicyLog: {path: \(path)}")
            let agent = try await shop.startAgent()
            try await shop.enforce(Shop.clientOnly)
            #expect(try await shop.client.canConnect(to: shop.server.address4, port: 80))
            #expect(try await !shop.intruder.canConnect(to: shop.server.address4, port: 80))
            let annotated = Shop.clientOnly.replacing(
                "namespace: shop}", with: "namespace: shop, annotations: {bulkhead.dev/log: \"true\"}}")
            try shop.agent.writePolicy("policy.yaml", annotated)
            try await eventually("a connection let in is logged") {
                _ = try await shop.client.canConnect(to: shop.server.address4, port: 80)
                return try lines(path).contains { $0.disposition == "allow" }
            }
            #expect(try await !shop.intruder.canConnect(to: shop.server.address4, port: 81))
            try await eventually("a refusal is logged", within: .seconds(20)) {
                try lines(path).contains { $0.disposition == "deny" && $0.connection?.dest_port == 81 }
            }
            let all = try lines(path)
            let policy = Line.Policy(kind: "NetworkPolicy", namespace: "shop", name: "server")
            #expect(all.allSatisfy { $0.policies == [policy] && $0.node_name == "n1" })
            let allowed = try #require(all.first { $0.disposition == "allow" })
            #expect(allowed.src?.pod_name == "client" && allowed.dest?.pod_name == "server" && allowed.count == 1)
            #expect(allowed.dest?.pod_namespace == "shop" && allowed.connection?.src_ip == shop.client.address4)
            #expect(all.allSatisfy { $0.disposition == "allow" || $0.src?.pod_name == "intruder" })
            kill(agent.pid, SIGTERM)
            #expect(try await agent.waitForExit(within: .seconds(20)) == 0)
        }
    }

    @Test func `a document selects, bounds, and what is beyond the bound is counted in the log`() async throws {
        try await withTestBed(subnet: 99) { bed in
            let path = bed.path("policy.log")
            let shop = try await Shop(
                bed, configuration: "nodeName: n1\npolicyLog: {path: \(path), files: 2, megabytes: 1}")
            let agent = try await shop.startAgent()
            try await shop.enforce(Shop.clientOnly)
            try shop.agent.writePolicy(
                "log.yaml",
                """
                apiVersion: bulkhead.dev/v1alpha1
                kind: PolicyLogging
                metadata: {name: denials}
                spec: {verdicts: [deny], namespaces: [shop], podLabels: {app: server}, linesPerSecond: 2}

                """)
            try await eventually("the document is known") {
                try await shop.control.policies().contains { $0.kind == "PolicyLogging" }
            }
            #expect(try await shop.client.canConnect(to: shop.server.address4, port: 80))
            try await shop.intruder.namespace.run(
                ["bash", "-c", "for i in {20000..20199}; do echo x > /dev/udp/\(shop.server.address4)/$i; done; true"],
                within: .seconds(60))
            try await eventually("all are written or counted", within: .seconds(30)) {
                let all = try lines(path)
                let written = all.compactMap(\.count).reduce(0, +)
                return written + all.compactMap(\.not_written).reduce(0, +) >= 200
            }
            let all = try lines(path)
            let told = all.compactMap(\.not_written).reduce(0, +)
            #expect(all.allSatisfy { $0.not_written != nil || $0.disposition == "deny" } && told > 0)
            let status = try await shop.control.status()
            #expect(status.policyLog?.path == path && status.policyLog?.notWritten == told)
            #expect(status.policyLog?.written == all.compactMap(\.count).reduce(0, +) && status.condition == .ready)
            kill(agent.pid, SIGTERM)
            #expect(try await agent.waitForExit(within: .seconds(20)) == 0)
        }
    }

    @Test func `in a cluster the resource and the annotations come from the API`() async throws {
        try await withTestBed(subnet: 99) { bed in
            let field = try await KubernetesField(bed)
            let server = try await field.host.addWorkload("srv", number: 2)
            let client = try await field.host.addWorkload("cli", number: 3)
            try server.startEchoes()
            try await field.announce(server, "server", number: 2)
            try await field.announce(client, "client", number: 3)
            try await field.run(server, number: 2)
            try await field.run(client, number: 3)
            try await field.put(
                "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/policyloggings.bulkhead.dev",
                """
                {"spec":{"group":"bulkhead.dev","scope":"Cluster","names":{"plural":"policyloggings","kind":"PolicyLogging"},
                 "versions":[{"name":"v1alpha1","served":true,"storage":true}]}}
                """)
            let agent = try await field.start()
            try await field.awaitAttached(2)
            try await field.put(
                "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/server",
                """
                {"metadata":{"annotations":{"policy.network.gke.io/enable-logging":"true"}},
                 "spec":{"podSelector":{"matchLabels":{"app":"server"}},"policyTypes":["Ingress"]}}
                """)
            try await eventually("the refusal of an annotated policy is logged", within: .seconds(30)) {
                _ = try await client.canConnect(to: server.address4, port: 80)
                return try lines(field.policyLogPath).contains {
                    $0.disposition == "deny" && $0.policies?.first?.name == "server" && $0.dest?.pod_name == "server"
                        && $0.src?.pod_name == "client" && $0.src?.pod_namespace == "shop"
                }
            }
            try await field.put(
                "/apis/bulkhead.dev/v1alpha1/policyloggings/all",
                #"{"spec":{"verdicts":["allow"],"namespaces":["shop"]}}"#)
            try await eventually("a verdict that only the resource selects is logged", within: .seconds(30)) {
                _ = try await client.canConnect(to: server.address4, port: 80)
                return try lines(field.policyLogPath).contains {
                    $0.disposition == "allow" && $0.connection?.direction == "egress" && $0.src?.pod_name == "client"
                }
            }
            kill(agent.pid, SIGTERM)
            #expect(try await agent.waitForExit(within: .seconds(20)) == 0)
        }
    }
}
