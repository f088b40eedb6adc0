// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Glibc
import TestBed
import Testing

/// Two nodes of a fleet without Kubernetes: real agents, kernel, traffic and etcd.
@Suite(.serialized) struct FleetTests {
    @Test(.timeLimit(.minutes(4))) func `workloads of other nodes are peers by their labels, as they come and go`()
        async throws
    {
        try await withTestBed(subnet: 99) { bed in
            let yard = try await FleetYard(bed)
            _ = try await yard.a.start()
            try await yard.a.says("the store is heard") { $0.cluster?.connected == true }
            try await yard.expect(["web", "job"], "without a policy")
            try await yard.field.put(policy: "server", FleetField.allow("web"))
            try await yard.expect([], "nobody is known to be web")
            let other = try await yard.b.start()
            try await yard.a.says("two workloads of the other") { $0.cluster?.workloads == 2 }
            try await yard.b.says("one of the other, a policy") {
                $0.cluster?.workloads == 1 && $0.cluster?.policies == 1
            }
            try await yard.expect(["web"], "by label")
            // Labels change places.
            try yard.b.agent.writeWorkloads([(yard.web, "web", ["app": "job"]), (yard.job, "job", ["app": "web"])])
            try await yard.expect(["job"], "labels changed places")
            try yard.b.agent.writeWorkloads([(yard.web, "web", ["app": "job"])])
            try await yard.a.says("one of them went") { $0.cluster?.workloads == 1 }
            try await yard.expect([], "who had the label is gone")
            try yard.b.agent.writeWorkloads([(yard.job, "job", ["app": "web"])])
            try await yard.expect(["job"], "and is there again")
            // A killed agent's workloads go after its lease and the grace, not before; enforcement does not.
            kill(other.pid, SIGKILL)
            _ = try await other.waitForExit(within: .seconds(20))
            try await yard.expect(["job"], "the other agent was killed")
            try await yard.a.says("its workloads are gone", within: .seconds(60)) { $0.cluster?.workloads == 0 }
            try await yard.expect([], "the other node is gone")
            _ = try await yard.b.start()
            try await yard.expect(["job"], "it is back")
            try await yard.a.says("all is well") { $0.condition == .ready }
            try await yard.b.says("all is well") { $0.condition == .ready }
        }
    }

    @Test(.timeLimit(.minutes(4)))
    func `a store that is away changes nothing, also for an agent that starts meanwhile`() async throws {
        try await withTestBed(subnet: 100) { bed in
            let yard = try await FleetYard(bed)
            var agent = try await yard.a.start()
            _ = try await yard.b.start()
            try await yard.field.put(policy: "server", FleetField.allow("web"))
            try await yard.expect(["web"], "before")
            try await yard.a.says("all is known") { $0.cluster?.workloads == 2 }
            await yard.field.etcd.kill(0)
            for node in [yard.a, yard.b] {
                try await node.says("the store is away") {
                    $0.cluster?.connected == false && $0.cluster?.ageSeconds != nil && $0.condition == .degraded
                }
            }
            // Longer than lease and grace.
            try await Task.sleep(for: .seconds(8))
            try await yard.expect(["web"], "the store was away for longer than a lease")
            kill(agent.pid, SIGTERM)
            #expect(try await agent.waitForExit(within: .seconds(20)) == 0)
            try await yard.expect(["web"], "without an agent")
            agent = try await yard.a.start()
            try await yard.a.says("what was remembered") {
                $0.cluster?.remembered == true && $0.cluster?.workloads == 2
            }
            try await yard.expect(["web"], "an agent without a store")
            try yard.field.etcd.start(0)
            try await yard.a.says("the store is back") {
                $0.cluster?.connected == true && $0.cluster?.remembered == false
            }
            try await yard.field.put(policy: "server", FleetField.allow("job"))
            try await yard.expect(["job"], "the store is back")
        }
    }

    @Test(.timeLimit(.minutes(4))) func `what is applied on one node is in force on all, or on none`() async throws {
        try await withTestBed(subnet: 101) { bed in
            let yard = try await FleetYard(bed)
            for node in [yard.a, yard.b] { _ = try await node.start() }
            try await yard.a.says("the workloads of the other") { $0.cluster?.workloads == 2 }
            let applied = try await yard.b.agent.tool("policy", "apply", "-f", "-", input: FleetField.allow("web"))
                .checked()
            #expect(
                applied.text.contains("NetworkPolicy/shop/server added") && applied.text.contains("the fleet's since"))
            try await yard.expect(["web"], "applied on the other node")
            let list = try await yard.a.agent.tool("policy", "list").checked().text
            #expect(
                list.contains("root@b") && list.contains("cluster") && list.contains("etcd:NetworkPolicy/shop/server"))
            let shown = try await yard.a.agent.tool("policy", "get", "server").checked().text
            #expect(shown.contains("by root@b") && shown.contains("kind: NetworkPolicy"))
            // This host alone: there it wins.
            try await yard.a.agent.tool("policy", "apply", "--local", "-f", "-", input: FleetField.allow("job"))
                .checked()
            try await yard.expect(["job"], "applied on the server's host alone")
            #expect(try await yard.b.agent.tool("policy", "list").checked().text.contains("root@b"))
            let unseen = try await yard.a.agent.tool("policy", "apply", "-f", "-", input: FleetField.allow("web"))
            #expect(unseen.status != 0 && unseen.errors.contains("--local"))
            try await yard.a.agent.tool("policy", "delete", "--local", "server").checked()
            try await yard.expect(["web"], "the fleet's is in force again")
            // Nothing is applied that the store does not take.
            await yard.field.etcd.kill(0)
            try await yard.b.says("the store is away") { $0.cluster?.connected == false }
            let failed = try await yard.b.agent.tool("policy", "apply", "-f", "-", input: FleetField.allow("job"))
            #expect(failed.status != 0 && failed.errors.contains("the fleet's store did not take it"))
            try await yard.expect(["web"], "the store did not take it")
            try yard.field.etcd.start(0)
            for node in [yard.a, yard.b] { try await node.says("the store is back") { $0.cluster?.connected == true } }
            try await yard.expect(["web"], "the store is back, and nothing came of it")
            try await yard.a.agent.tool("policy", "delete", "server").checked()
            try await yard.b.says("no policy is left") { $0.cluster?.policies == 0 }
            try await yard.expect(["web", "job"], "deleted on one node")
        }
    }
}
