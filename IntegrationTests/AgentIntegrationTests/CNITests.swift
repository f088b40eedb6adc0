// SPDX-License-Identifier: Apache-2.0

import CNIPlugin
import ControlAPI
import TestBed
import Testing

@Suite(.serialized) struct CNITests {
    /// Pods named `hasty-…` may speak to nobody.
    private static func hasty(_ names: [String]) -> String {
        """
        apiVersion: cilium.io/v2
        kind: CiliumNetworkPolicy
        metadata: {name: hasty, namespace: shop}
        spec:
          endpointSelector:
            matchExpressions:
              - {key: io.kubernetes.pod.name, operator: In, values: [\(names.joined(separator: ", "))]}
          egress: [{}]

        """
    }

    /// Whoever sends with its first instruction meets its policy.
    @Test(.timeLimit(.minutes(3))) func `not one packet leaves before policy is in force`() async throws {
        try await withTestBed(subnet: 73) { bed in
            let field = try await CNIField(bed)
            _ = try await field.startAgent()
            let names = (0..<10).map { "hasty-\($0)" }
            try await field.enforce(Self.hasty(names))
            let before = try await field.datagramsAtServer()
            for name in names {
                let pod = try await field.pod(name)
                let previous = try await field.addMain(pod)
                let added = try await field.plugin("ADD", pod, previous: previous).checked()
                try await field.send(pod, datagrams: 100)
                #expect(try JSONValue(json: Array(added.output.utf8)) == .object(previous))
                let record = try #require(try await field.attachment(pod))
                #expect(record.state == .inForce && record.endpoint == "shop/\(name)" && record.source == "cni")
            }
            #expect(try await field.datagramsAtServer() == before)
            // The counter counts: one that no policy is about gets through at once.
            let talker = try await field.pod("talker")
            try await field.add(talker).checked()
            try await field.expectArrival(of: talker)
        }
    }

    @Test(.timeLimit(.minutes(3))) func `the call waits for the source that says who it is`() async throws {
        try await withTestBed(subnet: 74) { bed in
            let field = try await CNIField(bed, settings: "\"timeout\": 60")
            _ = try await field.startAgent()
            let pod = try await field.pod("late")
            async let adding = field.add(pod)
            try await eventually("the interface is closed", within: .seconds(30)) {
                try await field.attachment(pod)?.state == .closed
            }
            let before = try await field.datagramsAtServer()
            try await field.send(pod, datagrams: 50)
            #expect(try await field.datagramsAtServer() == before)
            try field.agent.writeWorkloads(
                text: """
                    workloads:
                      - {name: late, namespace: shop, netns: \(pod.namespace.path), labels: {app: late}}

                    """)
            #expect(try await adding.checked().pluginCode == nil)
            #expect(try await field.attachment(pod)?.source == "workloads")
            try await field.expectArrival(of: pod)
            #expect(try await field.plugin("CHECK", pod, previous: [:]).status == 0)
        }
    }

    @Test(.timeLimit(.minutes(3))) func `whom no source knows is tried again later, or starts closed`() async throws {
        try await withTestBed(subnet: 75) { bed in
            let field = try await CNIField(bed, settings: "\"timeout\": 1")
            _ = try await field.startAgent()
            let pod = try await field.pod("unknown")
            let previous = try await field.addMain(pod)
            #expect(try await field.plugin("ADD", pod, previous: previous).pluginCode == 11)
            let before = try await field.datagramsAtServer()
            try await field.send(pod, datagrams: 50)
            // Let go: closed until the interface is gone.
            try await field.plugin("DEL", pod).checked()
            #expect(try await field.attachment(pod)?.state == .leaving)
            try await field.send(pod, datagrams: 50)
            #expect(try await field.datagramsAtServer() == before)
            try await field.deleteMain(pod)
            try await eventually("the attachment is forgotten", within: .seconds(30)) {
                try await field.attachment(pod) == nil
            }
            try await field.plugin("DEL", pod).checked()
        }
    }

    @Test(.timeLimit(.minutes(3))) func `without an agent nothing starts, and what ended is told later`() async throws {
        try await withTestBed(subnet: 76) { bed in
            let field = try await CNIField(bed)
            #expect(try await field.add(field.pod("early")).pluginCode == 11)
            var agent = try await field.startAgent()
            let (stays, goes) = (try await field.pod("stays"), try await field.pod("goes"))
            try await field.add(stays).checked()
            try await field.add(goes).checked()
            await agent.kill()
            try await field.delete(goes)
            #expect(try await bed.run(["ls", field.pendingDirectory]).output.contains("c0ffee-goes@eth0"))
            agent = try await field.startAgent()
            try await eventually("the agent took what waited", within: .seconds(30)) {
                let isEmpty = try await !bed.run(["ls", field.pendingDirectory]).output.contains("@")
                let known = try await field.attachment(goes)
                return isEmpty && known == nil
            }
            #expect(try await field.attachment(stays)?.state == .inForce)
            #expect(agent.exitStatus == nil)
        }
    }

    @Test(.timeLimit(.minutes(3))) func `an open list starts without an agent, which closes it when it comes`()
        async throws
    {
        try await withTestBed(subnet: 77) { bed in
            let field = try await CNIField(bed, settings: "\"withoutAgent\": \"open\"")
            let pod = try await field.pod("open")
            #expect(try await field.add(pod).checked().pluginCode == nil)
            try await field.expectArrival(of: pod)
            _ = try await field.startAgent()
            try await eventually("it is closed", within: .seconds(30)) {
                try await field.attachment(pod)?.state == .closed
            }
            let after = try await field.datagramsAtServer()
            try await field.send(pod, datagrams: 50)
            #expect(try await field.datagramsAtServer() == after)
        }
    }

    @Test(.timeLimit(.minutes(3))) func `an agent that is killed in the middle leaves the interface closed`()
        async throws
    {
        try await withTestBed(subnet: 78) { bed in
            let field = try await CNIField(bed, settings: "\"timeout\": 30")
            var agent = try await field.startAgent()
            let pod = try await field.pod("torn")
            let previous = try await field.addMain(pod)
            async let adding = field.plugin("ADD", pod, previous: previous)
            try await eventually("the interface is closed", within: .seconds(30)) {
                try await field.attachment(pod)?.state == .closed
            }
            await agent.kill()
            #expect(try await adding.pluginCode == 11)
            let before = try await field.datagramsAtServer()
            try await field.send(pod, datagrams: 50)
            #expect(try await field.datagramsAtServer() == before, "the kernel needs no agent")
            agent = try await field.startAgent()
            #expect(try await field.attachment(pod)?.state == .closed)
            try await field.send(pod, datagrams: 50)
            #expect(try await field.datagramsAtServer() == before)
            #expect(agent.exitStatus == nil)
        }
    }

    @Test(.timeLimit(.minutes(3))) func `GC and STATUS as a runtime of version 1_1 asks for them`() async throws {
        try await withTestBed(subnet: 79) { bed in
            let field = try await CNIField(bed, version: "1.1.0")
            // The reference plugins of the distribution are older: the result is made by hand.
            #expect(try await field.plugin("STATUS").pluginCode == 50)
            let agent = try await field.startAgent()
            #expect(try await field.plugin("STATUS").checked().output.isEmpty)
            let workload = try await field.host.addWorkload("made", number: 20)
            let pod = CNIPod(name: "made", container: "c0ffee-made", namespace: workload.namespace)
            let result: JSONObject = [
                "cniVersion": .string("1.1.0"),
                "ips": .array([.object(["address": .string("\(workload.address4)/16")])]),
                "later": .number("1e400"),
            ]
            let added = try await field.plugin("ADD", pod, previous: result).checked()
            #expect(try JSONValue(json: Array(added.output.utf8)) == .object(result))
            #expect(try await field.plugin("GC").checked().output.isEmpty)
            #expect(try await field.attachment(pod)?.state == .inForce, "nobody said who lives")
            let living = JSONValue.array([
                .object(["containerID": .string(pod.container), "ifname": .string("eth0")])
            ])
            try await field.plugin("GC", more: ["cni.dev/valid-attachments": living]).checked()
            #expect(try await field.attachment(pod)?.state == .inForce)
            try await field.plugin("GC", more: ["cni.dev/valid-attachments": .array([])]).checked()
            #expect(try await field.attachment(pod)?.state == .leaving)
            #expect(agent.exitStatus == nil)
        }
    }

    @Test(.timeLimit(.minutes(3))) func `what is hostile is refused, and the agent goes on`() async throws {
        try await withTestBed(subnet: 82) { bed in
            let field = try await CNIField(bed)
            let agent = try await field.startAgent()
            let pod = try await field.pod("plain")
            let result: JSONObject = ["cniVersion": .string("1.0.0")]
            // No interface, no namespace, the host's own.
            #expect(try await field.plugin("ADD", pod, previous: result).pluginCode == 100)
            for path in ["/nowhere", "/etc/hostname", "/dev/zero", field.host.namespace.path] {
                let record = AttachmentRequest(containerID: "c", interface: "br0", namespacePath: path)
                await #expect(throws: APIError.self, "\(path)") { try await field.control.attach(record) }
            }
            // An interface whose other end is somewhere else.
            let elsewhere = try await bed.namespace("other")
            try await bed.veth(elsewhere, "x0", to: pod.namespace, "eth0")
            #expect(try await field.plugin("ADD", pod, previous: result).pluginCode == 100)
            // Not JSON, too deep, an endless answer to nobody.
            let input = String(repeating: "[", count: 1_000_000)
            let deep = try await field.host.namespace.run(
                [TestAgent.product("bulkhead-cni")], environment: ["CNI_COMMAND": "STATUS"], input: input)
            #expect(deep.pluginCode == 6)
            #expect(try await field.control.attachments().isEmpty)
            #expect(agent.exitStatus == nil)
        }
    }
}
