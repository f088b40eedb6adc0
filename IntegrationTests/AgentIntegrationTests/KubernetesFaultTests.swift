// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Glibc
import TestBed
import Testing

/// What a cluster's API may say, or may no longer say, without a path being opened or a policy lost by it.
@Suite(.serialized) struct KubernetesFaultTests {
    /// A server, a client that the policy lets in, and a pod of another node that it does not.
    private struct Pods {
        let field: KubernetesField
        let server: TestWorkload
        let client: TestWorkload
        let far: TestWorkload

        init(_ bed: TestBed, tls: Bool = false) async throws {
            field = try await KubernetesField(bed, tls: tls)
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

        /// Who reaches the server, from now on.
        func expect(_ clients: Set<String>, _ moment: String, within limit: Duration = .seconds(10)) async throws {
            for name in ["client", "far"] {
                try await eventually("\(moment): \(name) reaches the server: \(clients.contains(name))", within: limit)
                {
                    try await reaches(name) == clients.contains(name)
                }
            }
        }

        /// Who reaches the server, already and still.
        func expectUnchanged(_ clients: Set<String>, _ moment: String) async throws {
            for name in ["client", "far"] {
                let reaches = try await reaches(name)
                #expect(reaches == clients.contains(name), "\(moment): \(name)")
            }
        }

        private func reaches(_ name: String) async throws -> Bool {
            try await (name == "client" ? client : far).canConnect(to: server.address4, port: 80)
        }

        func awaitProblem(_ subject: String, _ text: String) async throws {
            var last: [ProblemReport] = []
            do {
                try await eventually("status tells of \(subject): \(text)", within: .seconds(60)) {
                    last = try await field.control.status().problems
                    return last.contains { $0.subject.contains(subject) && $0.message.contains(text) }
                }
            } catch { throw TestBedError("\(error); told: \(last.map { "\($0.subject): \($0.message)" })") }
        }

        func awaitNoProblems() async throws {
            var last: [ProblemReport] = []
            do {
                try await eventually("status tells of no problem", within: .seconds(60)) {
                    last = try await field.control.status().problems
                    return last.isEmpty
                }
            } catch { throw TestBedError("\(error); told: \(last.map { "\($0.subject): \($0.message)" })") }
        }
    }

    private func run(subnet: Int, tls: Bool = false, _ body: (Pods) async throws -> Void) async throws {
        try await withTestBed(subnet: subnet) { bed in
            let pods = try await Pods(bed, tls: tls)
            let agent = try await pods.field.start()
            try await pods.field.awaitAttached(2)
            try await pods.field.allow("client")
            try await pods.expect(["client"], "at the beginning")
            try await body(pods)
            kill(agent.pid, SIGTERM)
            #expect(try await agent.waitForExit(within: .seconds(20)) == 0)
        }
    }

    private let policy = "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/server"

    @Test func `objects that cannot be read leave what was said before, and are told by name`() async throws {
        try await run(subnet: 41) { pods in
            // A value that no schema of today has: who wrote it may have meant anything.
            try await pods.field.put(
                policy,
                #"""
                {"spec":{"podSelector":{"matchLabels":{"app":"server"}},"policyTypes":["Sideways"],
                 "ingress":[{"from":[{"podSelector":{"matchLabels":{"app":"client"}}}]}]}}
                """#)
            try await pods.awaitProblem("networkpolicies", "Sideways")
            try await pods.expectUnchanged(["client"], "an unknown value")
            // A field of a later schema would be left out of what it means.
            try await pods.field.put(
                policy,
                #"""
                {"spec":{"podSelector":{"matchLabels":{"app":"server"}},"policyTypes":["Ingress"],
                 "ingress":[{"from":[{"podSelector":{"matchLabels":{"app":"client"}}}],"unlessAfterMidnight":true}]}}
                """#)
            try await pods.awaitProblem("networkpolicies", "unlessAfterMidnight")
            try await pods.expectUnchanged(["client"], "a field of a later schema")
            // A pod whose parts have other types, and labels that no server would have taken.
            try await pods.field.put(
                "namespaces/lab/pods/far",
                #"{"metadata":{"uid":"00000000-0000-4000-8000-000000000004","labels":{"app":["client"]}},"#
                    + #""spec":{"nodeName":7,"containers":{}},"status":{"podIP":"\#(pods.far.address4)"}}"#)
            try await pods.field.put(
                "namespaces/shop/pods/client",
                #"""
                {"metadata":{"uid":"00000000-0000-4000-8000-000000000003",
                  "labels":{"app":"client","no spaces, please":"\n\u0000","\#(String(repeating: "k", count: 400))":"ü"}},
                 "spec":{"nodeName":"n1"},"status":{"phase":"Thinking","podIPs":[{"ip":"\#(pods.client.address4)"},{"ip":"not an address"}]}}
                """#)
            try await pods.expect(["client"], "odd pods")
            // A megabyte and a half, as large as servers store them.
            let rest = String(repeating: "x", count: 1_500_000)
            try await pods.field.put(
                policy,
                #"""
                {"metadata":{"annotations":{"large":"\#(rest)"}},"spec":{"podSelector":{"matchLabels":{"app":"server"}},
                 "policyTypes":["Ingress"],"ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"team":"b"}}}]}]}}
                """#)
            try await pods.field.announce(pods.far, "far", number: 4, namespace: "lab", node: "n2")
            try await pods.expect(["far"], "a large object is taken")
            try await pods.awaitNoProblems()
        }
    }

    @Test func `an address belongs to the newest pod that nobody deleted`() async throws {
        try await run(subnet: 42) { pods in
            func far(_ name: String, _ app: String, number: Int, made: String, isEnding: Bool = false) async throws {
                let ending = isEnding ? #","deletionTimestamp":"2026-01-01T00:00:05Z""# : ""
                try await pods.field.put(
                    "namespaces/shop/pods/\(name)",
                    """
                    {"metadata":{"uid":"00000000-0000-4000-8000-00000000001\(number)","labels":{"app":"\(app)"},
                      "creationTimestamp":"\(made)"\(ending)},"spec":{"nodeName":"n2"},
                     "status":{"phase":"Running","podIP":"\(pods.far.address4)"}}
                    """)
            }
            try await pods.field.remove("namespaces/lab/pods/far")
            try await far("one", "client", number: 1, made: "2026-01-01T00:00:00Z")
            try await pods.expect(["client", "far"], "let in by its label")
            // It ends, and within a second its address is another's, whom nobody let in.
            try await far("one", "client", number: 1, made: "2026-01-01T00:00:00Z", isEnding: true)
            try await far("two", "stranger", number: 2, made: "2026-01-01T00:00:01Z")
            try await pods.expect(["client"], "the new owner is judged by its own labels")
            // What ends says something once more: the address stays where it is.
            try await far("one", "client", number: 1, made: "2026-01-01T00:00:00Z", isEnding: true)
            try await far("three", "client", number: 3, made: "2025-12-31T23:59:59Z", isEnding: true)
            try await pods.field.put("namespaces/quiet", "{}")
            try await Task.sleep(for: .milliseconds(500))
            try await pods.expectUnchanged(["client"], "the old owners speak")
            try await pods.field.remove("namespaces/shop/pods/two")
            try await far("four", "client", number: 4, made: "2026-01-01T00:00:02Z")
            try await pods.expect(["client", "far"], "and another one who is let in")
        }
    }

    @Test func `a kind that nobody may see, or that is taken away, costs no other`() async throws {
        try await run(subnet: 43) { pods in
            let group = "cilium.io", plural = "ciliumnetworkpolicies"
            let definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/\(plural).\(group)"
            try await pods.field.put(
                definition,
                """
                {"spec":{"group":"\(group)","scope":"Namespaced","names":{"plural":"\(plural)","kind":"CiliumNetworkPolicy"},
                 "versions":[{"name":"v2","served":true,"storage":true}]}}
                """)
            try await pods.field.put(
                "/apis/\(group)/v2/namespaces/shop/\(plural)/server",
                """
                {"spec":{"endpointSelector":{"matchLabels":{"app":"server"}},
                 "ingressDeny":[{"fromEndpoints":[{"matchLabels":{"app":"client"}}]}]}}
                """)
            try await pods.expect([], "a policy of a kind that was installed just now", within: .seconds(60))
            // Who takes the definition away takes the policies along, and hardly meant to open what they close.
            try await pods.field.remove(definition)
            try await pods.awaitProblem(plural, "stays in force")
            try await pods.expectUnchanged([], "the definition is gone")
            // Nodes may not be seen any more; policies go on.
            try await pods.field.fail(#"{"fault":"forbidden","resource":"nodes"}"#)
            try await pods.field.act("end-watches?resource=nodes")
            try await pods.awaitProblem("nodes", "forbidden")
            try await pods.field.put(
                policy,
                #"{"spec":{"podSelector":{"matchLabels":{"app":"server"}},"policyTypes":["Ingress"],"#
                    + #""ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"team":"b"}}}]}]}}"#)
            try await pods.expect(["far"], "policies go on without nodes")
        }
    }

    @Test func `an API that cannot be believed changes nothing`() async throws {
        try await run(subnet: 44, tls: true) { pods in
            try await pods.field.act("rotate-certificate?seconds=-60")
            try await pods.field.act("break-connections")
            try await pods.awaitProblem("pods", "certificate")
            try await pods.field.allow("far", namespaceLabel: "b")
            try await pods.expectUnchanged(["client"], "an expired certificate")
            // Somebody else's certificate is no better, whatever he says.
            try await pods.field.act("rotate-certificate?authority=1")
            try await pods.field.act("break-connections")
            try await Task.sleep(for: .seconds(2))
            try await pods.expectUnchanged(["client"], "somebody else's certificate")
            #expect(try await pods.field.control.status().cluster?.connected == false)
        }
        try await run(subnet: 44) { pods in
            try await pods.field.fail(#"{"fault":"html"}"#)
            try await pods.field.act("break-connections")
            try await pods.awaitProblem("pods", "HTML")
            try await pods.field.put(policy, #"{"spec":{"podSelector":{"matchLabels":{"app":"nobody"}}}}"#)
            try await pods.expectUnchanged(["client"], "pages in place of answers")
            try await pods.field.clearFaults()
            try await pods.expect(["client", "far"], "once it answers")
            try await pods.awaitNoProblems()
        }
    }
}
