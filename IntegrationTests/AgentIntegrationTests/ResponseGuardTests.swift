// SPDX-License-Identifier: Apache-2.0

import AlertPipeline
import ControlAPI
import ResponseActions
import TestBed
import Testing

/// Whom responses leave alone, whatever is found in their name.
@Suite(.serialized) struct ResponseGuardTests {
    @Test func `gateways, protected networks, allowed ones and the operator's own session are never blocked`()
        async throws
    {
        try await withTestBed(subnet: 59) { bed in
            let feed = bed.path("friends.txt")
            let prefix = "100.\(64 + bed.subnet).7"
            try writeFile(feed, "\(prefix).14\n")
            let field = try await AttackField(
                bed, shield: "feeds: [{name: friends, path: \(feed), action: allow}]",
                "response: {mode: on, blockTime: 1h, protect: [\(prefix).12/32]}")
            try await field.addSources(10...14)
            try await bed.ipBatch(field.host.host.namespace, ["route add 192.0.2.0/24 via \(field.source(11))"])
            let agent = try await field.host.startAgent()
            // A session that sshd has begun: the connection, and a process that sshd started.
            let operatorAddress = field.source(13)
            _ = try field.host.client.start([
                "socat", "EXEC:sleep 60", "TCP4:\(field.target):22,bind=\(operatorAddress)",
            ])
            _ = try field.host.host.namespace.start(
                ["sleep", "60"], environment: ["SSH_CONNECTION": "\(operatorAddress) 40000 \(field.target) 22"])
            for number in 10...14 { try await field.guess(from: field.source(number)) }
            try await field.awaitAction(.active, field.source(10))
            for (number, why) in [(11, "a gateway"), (12, "is protected"), (13, "in a session of administration")] {
                let refused = try await field.awaitAction(.refused, field.source(number))
                #expect(refused.problem?.contains(why) == true, "\(number): \(refused.problem ?? "-")")
            }
            let friend = try await field.awaitAction(.failed, field.source(14))
            #expect(friend.problem?.contains("allow feed") == true, "\(friend.problem ?? "-")")
            for number in 11...14 { #expect(try await field.isServed(field.source(number)), "\(number)") }
            #expect(try await field.isServed(field.source(10)) == false)
            let log = agent.errors + agent.output
            #expect(log.contains("response refused") && log.contains("in a session of administration"))
        }
    }

    /// Frames with another's address as their source, from the same link.
    @Test func `scans and floods in somebody's name do not have that one blocked`() async throws {
        try await withTestBed(subnet: 59) { bed in
            let field = try await AttackField(bed, "response: {mode: on, severity: low, blockTime: 1h}")
            _ = try await field.host.startAgent()
            try await field.addSources([20])
            let victim = field.source(20)
            // Somebody who uses the host, and goes on doing so.
            for _ in 0..<5 { #expect(try await field.isServed(victim)) }
            let scan = try await field.host.client.run(
                ["nmap", "-n", "-Pn", "-sS", "-S", victim, "-e", "eth0", "-p", "1-1000", "-T5", field.target],
                within: .seconds(60))
            #expect(scan.status == 0, "\(scan.errors)")
            let guess = try await field.host.client.run(
                ["hping3", "-S", "-a", victim, "-p", "22", "-i", "u20000", "-c", "200", field.target],
                within: .seconds(60))
            #expect(guess.errors.contains("packets transmitted"), "\(guess.errors)")
            try await eventually("the scan is found") {
                try await field.host.control.alerts(.everything).alerts.contains { $0.source == victim }
            }
            try await Task.sleep(for: .seconds(2))
            let actions = try await field.actions(isWhole: true).filter { $0.subject == victim }
            #expect(actions.allSatisfy { $0.state == .refused }, "\(actions)")
            #expect(!actions.isEmpty, "it was considered")
            #expect(try await field.isServed(victim))
        }
    }

    @Test func `a scanner is blocked where the operator takes unproven sources`() async throws {
        try await withTestBed(subnet: 59) { bed in
            let field = try await AttackField(
                bed,
                "response: {mode: off, severity: low, detectors: {port-scan: {mode: on, unproven: true}}, blockTime: 1h}"
            )
            _ = try await field.host.startAgent()
            try await field.addSources([10])
            let begin = ContinuousClock.now
            try await field.scan(from: field.source(10))
            try await field.awaitAction(.active, field.source(10))
            #expect(ContinuousClock.now - begin < .seconds(5))
            #expect(try await field.isServed(field.source(10)) == false)
        }
    }

    @Test func `so many are blocked at once, and so many a minute`() async throws {
        try await withTestBed(subnet: 59) { bed in
            let field = try await AttackField(
                bed,
                "response: {mode: off, severity: low, detectors: {port-scan: {mode: on, unproven: true}}, blockTime: 1h, blocks: 2}"
            )
            _ = try await field.host.startAgent()
            try await field.addSources(10...13)
            for number in 10...13 { try await field.scan(from: field.source(number)) }
            let refused = try await field.awaitAction(.refused, field.source(13))
            #expect(refused.problem?.contains("2 at once are the limit") == true, "\(refused.problem ?? "-")")
            #expect(try await field.actions().count == 2)
            #expect(try await field.host.control.shieldReport().blocks.count == 2)
        }
    }

    @Test func `a detector that does not exist is an error with its place, and the agent does not start`() async throws
    {
        try await withTestBed(subnet: 59) { bed in
            let field = try await AttackField(bed, "response: {mode: on, detectors: {port-scam: on}}")
            let agent = try field.host.agent.start()
            let status = try await agent.waitForExit(within: .seconds(10))
            #expect(status != nil && status != 0)
            #expect(agent.errors.contains("agent.yaml:") && agent.errors.contains("port-scam"), "\(agent.errors)")
        }
    }
}
