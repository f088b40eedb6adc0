// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Glibc
import TestBed
import Testing

/// What goes wrong between nodes of a fleet and their store: nothing of it opens a path, and each is told.
@Suite(.serialized) struct FleetFaultTests {
    @Test(.timeLimit(.minutes(4))) func `a node that does not hear the store goes on by what it knows, and catches up`()
        async throws
    {
        try await withTestBed(subnet: 102) { bed in
            let yard = try await FleetYard(bed, members: 3)
            for node in [yard.a, yard.b] { _ = try await node.start() }
            try await yard.a.says("the workloads of the other") { $0.cluster?.workloads == 2 }
            try await yard.b.agent.tool("policy", "apply", "-f", "-", input: FleetField.allow("web")).checked()
            try await yard.expect(["web"], "before")
            try await yard.field.cut(yard.a, true)
            try await yard.a.says("it does not hear the store") {
                $0.cluster?.connected == false && $0.cluster?.ageSeconds != nil
                    && $0.problems.contains { $0.subject == "etcd" && $0.message.contains("stays in force") }
            }
            let text = try await yard.a.agent.tool("status").text
            #expect(text.contains("in force is what is known, last current at"))
            // Its lease runs out meanwhile, the members' leader goes, and the policy is another one.
            await yard.field.etcd.kill(try await yard.field.etcd.leader())
            try await eventually("the others have a new leader", within: .seconds(60)) {
                try await yard.b.agent.tool("policy", "apply", "-f", "-", input: FleetField.allow("job")).status == 0
            }
            try await yard.b.says("the other node is gone", within: .seconds(60)) { $0.cluster?.workloads == 0 }
            try await yard.expect(["web"], "cut off for longer than its lease")
            try await yard.field.cut(yard.a, false)
            try await yard.expect(["job"], "heard again")
            try await yard.b.says("the other node is back") { $0.cluster?.workloads == 1 }
            for node in [yard.a, yard.b] {
                try await node.says("all is well") { $0.condition == .ready && $0.cluster?.nodes == 2 }
            }
        }
    }

    @Test(.timeLimit(.minutes(4))) func `what a newer program wrote changes nothing, also for an agent that starts`()
        async throws
    {
        try await withTestBed(subnet: 103) { bed in
            let yard = try await FleetYard(bed)
            let agent = try await yard.a.start()
            _ = try await yard.b.start()
            try await yard.field.put(policy: "server", FleetField.allow("web"))
            try await yard.expect(["web"], "before")
            // A node of a newer program: its own key, a workload, and the policy that it wrote anew.
            try await yard.field.put(policy: "server", FleetField.allow("job"), version: 2)
            for key in ["nodes/z", "workloads/z/shop/w0"] {
                try await yard.field.etcd.control("put", "/bulkhead/v1/\(key)", #"{"version":2,"new":[]}"#).checked()
            }
            let keys = ["nodes/z", "workloads/z/shop/w0", "policies/NetworkPolicy/shop/server"]
            for node in [yard.a, yard.b] {
                try await node.says("three keys are left as they were") { report in
                    keys.allSatisfy { key in
                        report.problems.contains {
                            $0.subject.hasSuffix(key) && $0.message.contains("version 2, this agent reads version 1")
                        }
                    }
                }
            }
            try await yard.expect(["web"], "a policy of a newer form")
            kill(agent.pid, SIGTERM)
            #expect(try await agent.waitForExit(within: .seconds(20)) == 0)
            _ = try await yard.a.start()
            try await yard.a.says("the store is heard") { $0.cluster?.connected == true && $0.cluster?.policies == 1 }
            try await yard.expect(["web"], "an agent that started meanwhile")
            // A node of an older program: fields that are new since are missing.
            try await yard.field.etcd.control(
                "put", "/bulkhead/v1/nodes/z",
                #"{"version":1,"instance":"z","agent":"0.0.1","since":"2026-01-01T00:00:00Z","complete":true}"#
            ).checked()
            try await yard.field.etcd.control(
                "put", "/bulkhead/v1/workloads/z/shop/w0",
                #"{"version":1,"labels":{"k8s":{"app":"old"}},"addresses":["192.0.2.7"]}"#
            ).checked()
            try await yard.field.put(policy: "server", FleetField.allow("job"))
            try await yard.expect(["job"], "an older program wrote it again")
            for node in [yard.a, yard.b] {
                try await node.says("all is well") { $0.condition == .ready && $0.cluster?.nodes == 3 }
            }
        }
    }

    @Test(.timeLimit(.minutes(4))) func `wrong credentials are told, and right ones taken without a restart`()
        async throws
    {
        try await withTestBed(subnet: 104) { bed in
            let password = bed.path("password")
            try writeFile(password, "guess\n")
            let yard = try await FleetYard(
                bed, configuration: "\(FleetField.configuration)\n  user: root\n  passwordFile: \(password)")
            try await yard.field.etcd.control("user", "add", "root:secret").checked()
            try await yard.field.etcd.control("user", "grant-role", "root", "root").checked()
            try await yard.field.put(policy: "server", FleetField.allow("web"))
            try await yard.field.etcd.control("auth", "enable").checked()
            try yard.a.agent.writePolicy(
                "here.yaml", FleetField.allow("job").replacing("name: server", with: "name: here"))
            for node in [yard.a, yard.b] { _ = try await node.start() }
            try await yard.a.says("the password is refused") {
                $0.cluster?.connected == false
                    && $0.cluster?.message.contains("refuses the user or the password") == true
            }
            try await yard.expect([], "a file of the host is in force, nobody is known")
            let failed = try await yard.a.agent.tool("policy", "apply", "-f", "-", input: FleetField.allow("job"))
            #expect(failed.status != 0 && failed.errors.contains("refuses the user or the password"))
            try writeFile(password, "secret\n")
            for node in [yard.a, yard.b] { try await node.says("it is let in") { $0.condition == .ready } }
            try await yard.expect(["web", "job"], "the fleet's and the host's own")
        }
    }

    @Test(.timeLimit(.minutes(4))) func `a host with the name of another says so, and knows that one's workloads`()
        async throws
    {
        try await withTestBed(subnet: 105) { bed in
            let yard = try await FleetYard(bed, nodes: ["a", "b", "b"])
            let thief = yard.field.nodes[2]
            let victim = try await thief.host.addWorkload("vic", number: 5)
            try victim.startEchoes()
            try thief.agent.writeWorkloads([(victim, "server", ["app": "server"])])
            let holder = try await yard.b.start()
            _ = try await yard.a.start()
            try await yard.a.says("the workloads of b") { $0.cluster?.workloads == 2 }
            _ = try await thief.start()
            try await thief.says("whose the name is") {
                $0.problems.contains { $0.subject == "registration" && $0.message.contains("registered as 'b'") }
            }
            // Workloads of the real b are strangers on the thief's host, and judged by their labels.
            try await yard.b.agent.tool("policy", "apply", "-f", "-", input: FleetField.allow("web")).checked()
            for (client, isAllowed) in [(yard.web, true), (yard.job, false)] {
                try await eventually("the thief's host judges b's workloads") {
                    try await client.canConnect(to: victim.address4, port: 80) == isAllowed
                }
            }
            try await yard.a.says("only what b published") { $0.cluster?.workloads == 2 && $0.cluster?.nodes == 2 }
            kill(holder.pid, SIGKILL)
            _ = try await holder.waitForExit(within: .seconds(20))
            try await thief.says("the name is free", within: .seconds(60)) { $0.condition == .ready }
            try await yard.a.says("what runs on the other host") { $0.cluster?.workloads == 1 }
        }
    }
}
