// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Glibc
import TestBed
import Testing

/// A large cluster in the small: a node that reads slices, and controllers that write them.
@Suite(.serialized) struct SliceControllerTests {
    private let definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/workloadslices.bulkhead.dev"
    private let slices = "/apis/bulkhead.dev/v1alpha1/workloadslices"

    private func controller(_ field: KubernetesField, _ name: String) throws -> SpawnedProcess {
        let folder = field.bed.path(name)
        try makeDirectory(folder)
        try writeFile(
            "\(folder)/agent.yaml",
            "kubernetes: {kubeconfig: \(field.kubeconfig)}\nrunDirectory: \(folder)\n")
        return try field.host.namespace.start([
            TestAgent.product("bulkhead-agent"), "controller", "--config", "\(folder)/agent.yaml", "--identity", name,
        ])
    }

    private func status(_ field: KubernetesField, _ name: String) async throws -> String {
        try await field.host.namespace.run([
            TestAgent.product("bulkhead-agent"), "controller", "--probe", "--config",
            "\(field.bed.path(name))/agent.yaml",
        ]).output
    }

    private func leads(_ field: KubernetesField, _ name: String) async throws -> Bool {
        let status = try await status(field, name)
        return status.contains(#""isLeader":true"#) && status.contains(#""isComplete":true"#)
    }

    @Test func `a node reads slices, whoever writes them, and goes on without anybody`() async throws {
        try await withTestBed(subnet: 46) { bed in
            let field = try await KubernetesField(bed, settings: "workloadSlices: always")
            let server = try await field.host.addWorkload("srv", number: 2)
            let far = try await field.host.addWorkload("far", number: 4)
            try server.startEchoes()
            try await field.put(
                definition,
                """
                {"spec":{"group":"bulkhead.dev","scope":"Cluster","names":{"plural":"workloadslices","kind":"WorkloadSlice"},
                 "versions":[{"name":"v1alpha1","served":true,"storage":true}]}}
                """)
            try await field.put("namespaces/bulkhead-system", "{}")
            try await field.announce(server, "server", number: 2)
            try await field.announce(far, "far", number: 4, namespace: "lab", node: "n2")
            try await field.run(server, number: 2)
            try await field.allow("far", namespaceLabel: "b")
            let agent = try await field.start()
            func expect(_ reaches: Bool, _ moment: String, within limit: Duration = .seconds(30)) async throws {
                try await eventually("\(moment): the pod of another node reaches the server: \(reaches)", within: limit)
                {
                    try await far.canConnect(to: server.address4, port: 80) == reaches
                }
            }
            try await eventually("the node waits for slices", within: .seconds(30)) {
                let cluster = try await field.control.status().cluster
                return cluster?.connected == false && cluster?.message.contains("workload slices") == true
            }
            let first = try controller(field, "one")
            try await eventually("the first leads", within: .seconds(60)) { try await leads(field, "one") }
            try await field.awaitAttached(1)
            try await expect(true, "by slices")
            #expect(try await field.control.status().cluster?.workloads == 1)

            let second = try controller(field, "two")
            try await eventually("the second answers") { try await status(field, "two").contains(#""identity":"two""#) }
            // What somebody deletes or makes by hand is put right.
            try await field.remove("\(slices)/workloads-000001")
            try await field.put(
                "\(slices)/stranger",
                #"{"spec":{"labelSets":[["k8s:app=x"]],"workloads":[{"name":"x/y","node":"n3","labels":7,"addresses":["::1"]}]}}"#
            )
            try await eventually("the slices are as they were", within: .seconds(30)) {
                let isStrangerThere = try await field.exists("\(slices)/stranger")
                return try await field.exists("\(slices)/workloads-000001") && !isStrangerThere
            }
            try await expect(true, "after it was put right")

            // Killed, not ended: the other takes the lease once it has run out, and nothing changes meanwhile.
            kill(first.pid, SIGKILL)
            _ = try await first.waitForExit(within: .seconds(20))
            try await expect(true, "without a controller")
            try await field.announce(far, "far", number: 4, namespace: "shop", node: "n2")
            try await field.remove("namespaces/lab/pods/far")
            try await eventually("the second leads", within: .seconds(60)) { try await leads(field, "two") }
            try await expect(false, "its pod is of another namespace now")

            kill(second.pid, SIGTERM)
            #expect(try await second.waitForExit(within: .seconds(20)) == 0)
            kill(agent.pid, SIGTERM)
            #expect(try await agent.waitForExit(within: .seconds(20)) == 0)
        }
    }

    @Test func `a probe without a controller fails, and so do options that make no sense`() async throws {
        try await withTestBed(subnet: 47) { bed in
            try writeFile(bed.path("agent.yaml"), "runDirectory: \(bed.path("none"))\n")
            let program = TestAgent.product("bulkhead-agent")
            let probe = try await bed.run([program, "controller", "--probe", "--config", bed.path("agent.yaml")])
            #expect(probe.status == 1 && probe.errors.contains("controller.sock"))
            let option = try await bed.run([program, "controller", "--workloads-per-slice", "1001"])
            #expect(option.status == 64 && option.errors.contains("from 1 to 1000"))
        }
    }
}
