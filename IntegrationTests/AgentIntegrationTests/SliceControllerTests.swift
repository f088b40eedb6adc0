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

    private func install(_ field: KubernetesField) async throws {
        try await field.put(
            definition,
            """
            {"spec":{"group":"bulkhead.dev","scope":"Cluster","names":{"plural":"workloadslices","kind":"WorkloadSlice"},
             "versions":[{"name":"v1alpha1","served":true,"storage":true}]}}
            """)
        try await field.put("namespaces/bulkhead-system", "{}")
    }

    @Test func `a node reads slices, whoever writes them, and goes on without anybody`() async throws {
        try await withTestBed(subnet: 46) { bed in
            let field = try await KubernetesField(bed, settings: "workloadSlices: always")
            let server = try await field.host.addWorkload("srv", number: 2)
            let far = try await field.host.addWorkload("far", number: 4)
            try server.startEchoes()
            try await install(field)
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
            let written = try await status(field, "one")
            #expect(written.contains(#""workloads":2"#) && written.contains(#""slices":1"#), "\(written)")
            try await eventually("the second answers") { try await status(field, "two").contains(#""identity":"two""#) }
            // What somebody deletes or makes by hand is put right.
            try await field.remove("\(slices)/workloads-000001")
            try await field.put(
                "\(slices)/stranger",
                #"{"spec":{"version":1,"labelSets":[["k8s:app=x"]],"workloads":[{"name":"x/y","node":"n3","labels":7,"addresses":["::1"]}]}}"#
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

    /// A server of this node, a pod of another one that its policy lets in, and one that it does not.
    private struct Pods {
        let field: KubernetesField
        let server: TestWorkload
        let far: TestWorkload
        let stranger: TestWorkload

        init(_ field: KubernetesField) async throws {
            self.field = field
            server = try await field.host.addWorkload("srv", number: 2)
            far = try await field.host.addWorkload("far", number: 4)
            stranger = try await field.host.addWorkload("odd", number: 5)
            try server.startEchoes()
            try await field.announce(server, "server", number: 2)
            try await field.announce(far, "far", number: 4, namespace: "lab", node: "n2")
            try await field.announce(stranger, "stranger", number: 5, namespace: "lab", node: "n2")
            try await field.run(server, number: 2)
            try await field.allow("far", namespaceLabel: "b")
        }

        /// Waits until the policy is in force, by what is read of the others.
        func awaitInForce() async throws {
            try await field.awaitAttached(1)
            try await eventually("the pod that is let in gets in", within: .seconds(30)) {
                try await far.canConnect(to: server.address4, port: 80)
            }
            #expect(try await !stranger.canConnect(to: server.address4, port: 80))
        }

        var isBySlices: Bool {
            get async throws { try await field.control.status().cluster?.message.contains("by slices") == true }
        }

        /// Knocks at the server over and over; each line of what it says is `in` or `out`.
        func knock(from client: TestWorkload, patience: Int) throws -> SpawnedProcess {
            let knock = "nc -z -w \(patience) \(server.address4) 80"
            return try client.namespace.start([
                "sh", "-c", "while :; do \(knock) && echo in || echo out; sleep 0.1; done",
            ])
        }

        func end(_ process: SpawnedProcess, by signal: Int32 = SIGTERM) async throws {
            kill(process.pid, signal)
            let status = try await process.waitForExit(within: .seconds(20))
            #expect(signal == SIGKILL || status == 0)
        }
    }

    @Test func `a node goes from pods to slices and back under traffic, and judges all of it alike`() async throws {
        try await withTestBed(subnet: 46) { bed in
            let field = try await KubernetesField(bed, settings: "workloadSlices: auto, workloadSlicesAbove: 2")
            let pods = try await Pods(field)
            try await install(field)
            var agent = try await field.start()
            try await pods.awaitInForce()
            #expect(try await !pods.isBySlices, "nobody has written any")
            let welcome = try pods.knock(from: pods.far, patience: 10)
            let unwelcome = try pods.knock(from: pods.stranger, patience: 1)
            func goOn(_ moment: String) async throws {
                let before = [welcome, unwelcome].map(\.output.utf8.count)
                try await eventually("\(moment): both go on", within: .seconds(60)) {
                    zip([welcome, unwelcome].map(\.output.utf8.count), before).allSatisfy { $0 >= $1 + 12 }
                }
            }
            try await goOn("by pods")
            let first = try controller(field, "one")
            try await eventually("the controller has written all", within: .seconds(60)) {
                try await field.exists("\(slices)/complete")
            }
            try await pods.end(agent)
            agent = try await field.start()
            try await pods.awaitInForce()
            #expect(try await pods.isBySlices)
            try await goOn("by slices")
            // Slices go, and the agent not in order.
            try await pods.end(first)
            try await field.remove("\(slices)/complete")
            try await goOn("without a controller")
            try await pods.end(agent, by: SIGKILL)
            try await goOn("without an agent")
            agent = try await field.start()
            try await pods.awaitInForce()
            #expect(try await !pods.isBySlices)
            try await goOn("by pods again")
            for process in [welcome, unwelcome] { await process.kill() }
            #expect(Set(welcome.output.split(separator: "\n")) == ["in"])
            #expect(Set(unwelcome.output.split(separator: "\n")) == ["out"])
            try await pods.end(agent)
        }
    }

    @Test func `slices of another version change nothing, also for an agent that starts anew`() async throws {
        try await withTestBed(subnet: 47) { bed in
            let field = try await KubernetesField(bed, settings: "workloadSlices: always")
            let pods = try await Pods(field)
            try await install(field)
            let first = try controller(field, "one")
            var agent = try await field.start()
            try await pods.awaitInForce()
            try await pods.end(first)
            // As agents of this version would read it, the stranger is one who is let in, and nobody else is.
            let labels =
                #"["k8s:app=far","k8s:io.cilium.k8s.namespace.labels.team=b","k8s:io.kubernetes.pod.namespace=lab"]"#
            try await field.put(
                "\(slices)/workloads-000001",
                #"{"spec":{"version":2,"labelSets":[\#(labels)],"workloads":[{"name":"lab/x","node":"n2","labels":0,"#
                    + #""addresses":["\#(pods.stranger.address4)"]}]}}"#)
            func expectUnchanged(_ moment: String) async throws {
                try await eventually("\(moment): status tells of the version", within: .seconds(30)) {
                    try await field.control.status().problems.contains {
                        $0.subject.contains("workloads-000001") && $0.message.contains("version 2")
                            && $0.message.contains("update this agent")
                    }
                }
                try await pods.awaitInForce()
            }
            try await expectUnchanged("it runs")
            try await pods.end(agent)
            agent = try await field.start()
            try await expectUnchanged("it was started anew")
            // A controller of this version writes what all can read.
            let second = try controller(field, "two")
            try await eventually("status tells of no problem", within: .seconds(60)) {
                try await field.control.status().problems.isEmpty
            }
            try await pods.awaitInForce()
            try await pods.end(second)
            try await pods.end(agent)
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
