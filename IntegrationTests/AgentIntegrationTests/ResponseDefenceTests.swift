// SPDX-License-Identifier: Apache-2.0

import AlertPipeline
import ControlAPI
import LinuxHost
import ResponseActions
import TestBed
import Testing

/// Answers that cut nobody off but attackers: cookies, limits, quarantine; and what becomes of them without the agent.
@Suite(.serialized) struct ResponseDefenceTests {
    @Test
    func `a flood of SYNs arms the flooded listener where the defence was off, and users are served without the agent`()
        async throws
    {
        try await withTestBed(subnet: 61) { bed in
            let field = try await AttackField(
                bed, "response: {mode: off, detectors: {syn-flood: {mode: on, actions: [syn-defence]}}, limitTime: 40s}"
            )
            try await bed.ipBatch(
                field.host.host.namespace, ["route add 198.18.0.0/15 via \(field.host.clientAddresses[0])"])
            try await field.host.host.namespace.shell("echo 1 > /proc/sys/net/ipv4/tcp_no_metrics_save")
            let agent = try await field.host.startAgent()
            let atFirst = try await field.host.control.shieldReport().synDefence
            #expect(atFirst?.mode == "off" && atFirst?.answered == 0, "\(String(describing: atFirst))")
            let flood = try await field.synFlood(field.target)
            async let first = flood.send(from: field.host.client, rate: 5000, for: .seconds(8))
            let action = try await field.awaitAction(.active, field.target, "syn-defence")
            #expect(action.port == 80 && action.detector == "syn-flood", "\(action)")
            try await eventually("cookies answer") {
                try await field.host.control.shieldReport().synDefence.map { $0.answered > 1000 } == true
            }
            // It listens on any address: the other ones of that port are not flooded.
            let others = WebUsers(address: field.host.hostAddresses[1], port: 80)
            let beside = try await others.visit(from: field.host.client, for: .seconds(1), countMax: 5)
            #expect(beside.served == 5, "\(beside)")
            let listeners = try #require(try await field.host.control.shieldReport().synDefence?.listeners)
            #expect(listeners.filter(\.isDefended).map { "\($0.address) \($0.port)" } == ["\(field.target) 80"])
            await agent.kill()
            let users = WebUsers(address: field.target, port: 80)
            let alone = try await users.visit(from: field.host.client, for: .seconds(2))
            #expect(alone.failures.isEmpty && alone.served >= 40, "without the agent: \(alone)")
            _ = try await first
            // A new agent goes on with it without a gap, knows it, and takes it back.
            async let second = flood.send(from: field.host.client, rate: 5000, for: .seconds(6))
            _ = try await field.host.startAgent()
            let again = try await users.visit(from: field.host.client, for: .seconds(2))
            #expect(again.failures.isEmpty && again.served >= 40, "\(again)")
            _ = try await second
            try await eventually("it is known") { try await field.actions().map(\.action) == ["syn-defence"] }
            let undo = try await field.host.agent.tool("response", "undo", "--all")
            #expect(undo.status == 0, "\(undo.errors)")
            let before = try #require(try await field.host.control.shieldReport().synDefence?.answered)
            _ = try await flood.send(from: field.host.client, rate: 2000, for: .seconds(1))
            #expect(try await field.host.control.shieldReport().synDefence?.answered == before, "off again")
        }
    }

    @Test func `a flood of datagrams brings limits into force, which end by themselves`() async throws {
        try await withTestBed(subnet: 61) { bed in
            let field = try await AttackField(
                bed,
                """
                response: {mode: off, detectors: {udp-flood: on}, limitTime: 15s, limits: {source: {packets: {rate: 50, burst: 50}}}}
                """)
            let agent = try await field.host.startAgent()
            try await field.addSources([10])
            let flood = try field.host.client.start([
                "hping3", "-2", "-q", "-a", field.source(10), "-p", "7001", "-d", "64", "-i", "u50", field.target,
            ])
            try await field.awaitAction(.active, field.target, "rate-limit", within: .seconds(10))
            try await eventually("the limit drops") {
                try await field.host.control.shieldReport().drops.contains {
                    $0.reason == "shield-packets" && !$0.wouldDrop && $0.packets > 1000
                }
            }
            await flood.kill()
            try await field.awaitAction(.ended, field.target, "rate-limit", within: .seconds(30))
            func limited() async throws -> UInt64 {
                try await field.host.control.shieldReport().drops.filter { $0.reason == "shield-packets" }
                    .reduce(0) { $0 + $1.packets }
            }
            let before = try await limited()
            _ = try await field.host.client.run(
                ["hping3", "-2", "-q", "-p", "7001", "-i", "u2000", "-c", "500", field.target], within: .seconds(30))
            #expect(try await limited() == before)
            #expect(!(agent.errors + agent.output).contains("set `response.limits`"))
        }
    }

    @Test func `without limits a rate limit fails and says what it needs`() async throws {
        try await withTestBed(subnet: 61) { bed in
            let field = try await AttackField(bed, "response: {mode: off, detectors: {udp-flood: on}}")
            _ = try await field.host.startAgent()
            _ = try await field.host.client.run(
                ["hping3", "-2", "-q", "-p", "7001", "-d", "64", "-i", "u50", "-c", "60000", field.target],
                within: .seconds(60))
            let failed = try await field.awaitAction(.failed, field.target, "rate-limit")
            #expect(failed.problem?.contains("set `response.limits`") == true, "\(failed.problem ?? "-")")
        }
    }

    @Test func `a workload that scans is left with whom the operator names, and is free again when that is undone`()
        async throws
    {
        try await withTestBed(subnet: 61) { bed in
            let prefix = "100.\(64 + bed.subnet).7"
            let field = try await AttackField(
                bed,
                """
                response:
                  mode: off
                  severity: low
                  detectors:
                    fan-out: {mode: on, actions: [quarantine]}
                    port-scan: {mode: on, actions: [quarantine]}
                    network-scan: {mode: on, actions: [quarantine]}
                  quarantineAllow: [\(prefix).40]
                  quarantineTime: 1h
                """)
            try await field.addSources([40])
            let host = field.host.host
            let (bad, good) = (
                try await host.addWorkload("bad", number: 11), try await host.addWorkload("good", number: 12)
            )
            try field.host.agent.writeWorkloads([
                (workload: bad, name: "bad", labels: ["app": "bad"]),
                (workload: good, name: "good", labels: ["app": "good"]),
            ])
            let agent = try await field.host.startAgent()
            try await eventually("the workloads are endpoints") {
                try await field.host.control.status().state.attachedEndpoints >= 3
            }
            let (outside, allowed) = (field.host.clientAddresses[0], field.source(40))
            let outside6 = field.host.clientAddresses[1]
            _ = try good.namespace.start(["socat", "TCP6-LISTEN:8080,ipv6only=0,fork,reuseaddr", "EXEC:cat"])
            let others = [outside, outside6, good.address4, good.address6]
            for address in others {
                try await eventually("\(address) answers") { try await bad.canConnect(to: address, port: 8080) }
            }
            _ = try await bad.namespace.run(
                ["python3", bed.path("scan.py"), bad.address4, outside, "100", "400"], within: .seconds(60))
            let action = try await field.awaitAction(.active, bad.address4, "quarantine")
            for address in others {
                #expect(try await bad.canConnect(to: address, port: 8080) == false, "\(address)")
            }
            #expect(try await bad.canConnect(to: allowed, port: 8080), "whom the operator names")
            #expect(try await good.canConnect(to: outside, port: 8080), "nobody else is cut off")
            await agent.kill()
            #expect(try await bad.canConnect(to: outside, port: 8080) == false, "the agent is dead")
            _ = try await field.host.startAgent()
            #expect(try await bad.canConnect(to: outside, port: 8080) == false)
            let undo = try await field.host.agent.tool("response", "undo", "\(action.id)")
            #expect(undo.status == 0, "\(undo.errors)")
            for address in [outside, outside6] {
                try await eventually("it is free") { try await bad.canConnect(to: address, port: 8080) }
            }
            #expect(try await field.host.agent.tool("policy", "history").output.contains("quarantine"))
        }
    }

    /// Ahead only: libfaketime moves timers that wait, so that the agent would sleep through a jump back.
    @Test func `a block lasts as long as it should, though the wall clock jumps`() async throws {
        try await withTestBed(subnet: 61) { bed in
            let field = try await AttackField(bed, "response: {mode: on, blockTime: 12s}")
            let clock = bed.path("clock")
            try writeFile(clock, "+0d\n")
            let agent = try field.host.agent.start(environment: try ClockTests.fakedWallClock(file: clock))
            try bed.noteCleanup("rm -f /dev/shm/faketime_shm_\(agent.pid) /dev/shm/sem.faketime_sem_\(agent.pid)")
            try await eventually("the shield stands", within: .seconds(20)) {
                try await field.host.control.shieldReport().devices.first?.hook == "native"
            }
            try await field.addSources([10])
            try await field.guess(from: field.source(10))
            try await field.awaitAction(.active, field.source(10))
            let begin = ContinuousClock.now
            for jump in ["+1h", "+500d"] {
                // At once: the agent may read the file at any moment.
                try writeFile(clock + ".new", jump + "\n")
                try renameFile(clock + ".new", to: clock)
                try await Task.sleep(for: .milliseconds(1500))
                #expect(try await field.isServed(field.source(10)) == false, "\(jump)")
                #expect(try await field.actions().map(\.state) == [.active], "\(jump)")
            }
            try await field.awaitAction(.ended, field.source(10), within: .seconds(20))
            let took = ContinuousClock.now - begin
            #expect(took > .seconds(8) && took < .seconds(16), "\(took)")
            #expect(try await field.isServed(field.source(10)))
        }
    }
}
