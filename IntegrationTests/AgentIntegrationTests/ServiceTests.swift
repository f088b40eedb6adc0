// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

/// Processes of the host that are judged by themselves.
@Suite(.serialized) struct ServiceTests {
    /// What there is to reach, of which policy here allows tcp/8080 outside; udp/53 is a failsafe port.
    private func targets(_ field: ServiceField) -> (allowed: Set<String>, others: Set<String>) {
        let outside = field.host.clientAddresses, inside = ["127.0.0.1", "::1"] + field.host.hostAddresses
        let workload = [field.workload.address4, field.workload.address6]
        let failsafe = Set(outside.map { "udp \($0) 53" })
        return (
            failsafe.union(outside.map { "tcp \($0) 8080" }),
            Set(
                outside.flatMap { ["tcp \($0) 8081", "udp \($0) 7002", "ping \($0)"] }
                    + inside.flatMap { ["tcp \($0) 81", "udp \($0) 7001", "ping \($0)"] }
                    + workload.flatMap { ["tcp \($0) 80", "ping \($0)"] })
        )
    }

    private func expect(
        _ field: ServiceField, _ process: ServiceField.Process, _ expected: Set<String>, _ moment: String = "",
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let (allowed, others) = targets(field)
        let reached = try await field.reach(process, Array(allowed.union(others)), expecting: expected)
        #expect(
            reached == expected, "\(process) \(moment) \(reached.symmetricDifference(expected).sorted())",
            sourceLocation: sourceLocation)
    }

    /// Takes a program off, as a person who removes its pin does; the agent puts it on again.
    private func takeOff(_ link: String, _ field: ServiceField) async throws {
        func hooks() async throws -> Set<String> {
            let attachments = try await field.host.control.status().kernel.attachments
            return Set(attachments.filter { $0.program.hasPrefix("cgroup") }.map(\.hook))
        }
        #expect(try await hooks() == ["cgroup"])
        try await field.host.bed.shell("rm \(field.host.agent.pinDirectory)/v*/links/\(link)")
        try await eventually("the program is back") { try await hooks() == ["cgroup"] }
    }

    private func only8080(_ field: ServiceField) -> String {
        let nearby = field.host.clientAddresses.map { $0.contains(":") ? "\"\($0)/128\"" : "\"\($0)/32\"" }
        return "{toCIDR: [\(nearby.joined(separator: ", "))], \(HostBed.port(8080))}"
    }

    @Test func `rules for a unit hold for its processes alone, with the agent dead and after a restart`() async throws {
        try await withTestBed(subnet: 52) { bed in
            let field = try await ServiceField(bed)
            let (allowed, others) = targets(field)
            let agent = try await field.host.startAgent()
            try await expect(field, .unit, allowed.union(others), "without a policy")
            let policy = ServiceField.policy(
                "web", "matchLabels: {\"process:unit\": \(field.unit), tier: front}", egress: only8080(field))
            #expect(try await field.host.apply(policy).status == 0)
            for process in [ServiceField.Process.unit, .worker] { try await expect(field, process, allowed) }
            for process in [ServiceField.Process.user, .other] {
                try await expect(field, process, allowed.union(others))
            }
            try await takeOff("cgroup-egress", field)
            try await expect(field, .unit, allowed, "put on again")
            let denied = try await field.host.flows().filter { $0.verdict == "deny" }
            #expect(denied.allSatisfy { $0.endpoint == field.unit && $0.direction == "egress" })
            #expect(denied.contains { $0.rule.contains("CiliumClusterwideNetworkPolicy/web") })
            await agent.kill()
            try await expect(field, .unit, allowed, "the agent is dead")
            _ = try await field.host.startAgent()
            try await expect(field, .unit, allowed, "after a restart")
            // A new cgroup under the same name is the same service.
            try await field.stopUnit()
            try await eventually("the unit is gone") {
                try await field.host.agent.tool("endpoint", "list").output.contains("not running")
            }
            try field.startUnit()
            try await eventually("the unit is back") {
                try await !field.host.agent.tool("endpoint", "list").output.contains("not running")
            }
            try await expect(field, .unit, allowed, "started again")
            let detach = try await field.host.agent.tool("detach")
            #expect(detach.status == 0, "\(detach.errors)")
            try await expect(field, .unit, allowed.union(others), "detached")
        }
    }

    @Test func `rules for a user hold for its processes alone`() async throws {
        try await withTestBed(subnet: 52) { bed in
            let field = try await ServiceField(bed)
            let (allowed, others) = targets(field)
            _ = try await field.host.startAgent()
            let policy = ServiceField.policy(
                "user", "matchLabels: {\"process:uid\": \"\(ServiceField.user)\"}", egress: only8080(field))
            #expect(try await field.host.apply(policy).status == 0)
            try await expect(field, .user, allowed)
            for process in [ServiceField.Process.unit, .other] {
                try await expect(field, process, allowed.union(others))
            }
        }
    }

    @Test func `what a service may is not cut by the host's own policy, and not lent to others`() async throws {
        try await withTestBed(subnet: 52) { bed in
            let field = try await ServiceField(bed)
            _ = try await field.host.startAgent()
            #expect(try await field.host.apply(HostBed.denyAll).status == 0)
            let policy = ServiceField.policy(
                "web", "matchLabels: {\"process:unit\": \(field.unit)}", egress: only8080(field))
            #expect(try await field.host.apply(policy).status == 0)
            let outside = field.host.clientAddresses
            let probes = outside.flatMap { ["tcp \($0) 8080", "tcp \($0) 8081"] }
            let allowed = Set(outside.map { "tcp \($0) 8080" })
            #expect(try await field.reach(.unit, probes, expecting: allowed) == allowed)
            #expect(try await field.reach(.user, probes).isEmpty)
            #expect(try await field.reach(.other, probes).isEmpty)
            let explained = try await field.host.agent.tool(
                "explain", "--from", field.unit, "--to", outside[0], "--port", "8080", "--protocol", "tcp")
            #expect(explained.output.hasPrefix("allow"), "\(explained.output)\(explained.errors)")
            let refused = try await field.host.agent.tool(
                "explain", "--from", "host", "--to", outside[0], "--port", "8080", "--protocol", "tcp")
            #expect(refused.output.hasPrefix("deny"), "\(refused.output)\(refused.errors)")
        }
    }

    @Test func `rules for what reaches a service are asked at its sockets`() async throws {
        try await withTestBed(subnet: 52) { bed in
            let field = try await ServiceField(bed)
            for (process, port) in [(ServiceField.Process.unit, 9001), (.other, 9002)] {
                _ = try field.host.host.namespace.start(
                    field.command(process, ["socat", "TCP6-LISTEN:\(port),ipv6only=0,fork,reuseaddr", "EXEC:cat"]))
            }
            let all = Probe.all([.tcp(9001), .tcp(9002)], field.host.hostAddresses)
            try await eventually("both answer") { try await field.host.client.reach(all) == all }
            _ = try await field.host.startAgent()
            let policy = ServiceField.policy(
                "web", "matchLabels: {\"process:unit\": \(field.unit)}", ingress: "{fromEntities: [host]}")
            #expect(try await field.host.apply(policy).status == 0)
            let others = Probe.all([.tcp(9002)], field.host.hostAddresses)
            #expect(try await field.host.client.reach(all, expecting: others) == others)
            let inside = ["tcp 127.0.0.1 9001", "tcp ::1 9001"]
            #expect(try await field.reach(.other, inside, expecting: Set(inside)) == Set(inside))
        }
    }
}
