// SPDX-License-Identifier: Apache-2.0

import AlertPipeline
import ControlAPI
import ResponseActions
import TestBed
import Testing

/// Answers to attackers who come by IPv6, of whom a /64 is one.
@Suite(.serialized) struct ResponseIPv6Tests {
    @Test func `who guesses passwords is blocked, with all of the /64 when it comes back, also without the agent`()
        async throws
    {
        try await withTestBed(subnet: 61) { bed in
            let field = try await AttackField(bed, "response: {mode: on, blockTime: 4s, growth: 100, blockTimeMax: 5m}")
            let agent = try await field.host.startAgent()
            try await field.addSources6([10, 11])
            let (guesser, neighbour) = (field.source6(10), "fdbb:\(bed.subnet):910::99")
            try await bed.ipBatch(field.host.client, ["address add \(neighbour)/128 dev eth0 nodad"])
            #expect(try await field.isServed(guesser))
            try await field.guess(from: guesser)
            let first = try await field.awaitAction(.active, guesser)
            #expect(first.detector == "password-guessing" && first.repetition == 1)
            #expect(try await field.isServed(guesser) == false)
            #expect(try await field.isServed(guesser, port: 22), "a failsafe port stays open")
            for address in [neighbour, field.source6(11), field.host.clientAddresses[1]] {
                #expect(try await field.isServed(address), "\(address)")
            }
            try await field.awaitAction(.ended, guesser)
            #expect(try await field.isServed(guesser))
            // The same somebody, by another of his addresses.
            try await field.guess(from: neighbour)
            let second = try await field.awaitAction(.active, field.network6(10))
            #expect(second.repetition == 2)
            for address in [guesser, neighbour] { #expect(try await field.isServed(address) == false, "\(address)") }
            #expect(try await field.isServed(field.source6(11)), "another network")
            let left = try #require(try await field.host.control.shieldReport().blocks.first).secondsLeft
            #expect((250...300).contains(left), "\(left): the ceiling")
            await agent.kill()
            #expect(try await field.isServed(guesser) == false, "the agent is dead")
            _ = try await field.host.startAgent()
            #expect(try await field.isServed(guesser) == false)
            let undo = try await field.host.agent.tool("response", "undo", "\(second.id)")
            #expect(undo.status == 0, "\(undo.errors)")
            for address in [guesser, neighbour] { #expect(try await field.isServed(address), "\(address)") }
        }
    }

    @Test func `gateways, protected networks, allowed ones and the operator's own session are never blocked`()
        async throws
    {
        try await withTestBed(subnet: 61) { bed in
            let feed = bed.path("friends.txt")
            try writeFile(feed, "fdbb:\(bed.subnet):914::10\n")
            let field = try await AttackField(
                bed, shield: "feeds: [{name: friends, path: \(feed), action: allow}]",
                "response: {mode: on, blockTime: 1h, protect: [\"fdbb:\(bed.subnet):912::/48\"]}")
            try await field.addSources6(10...14)
            try await bed.ipBatch(
                field.host.host.namespace, ["route add 2001:db8:77::/48 via \(field.source6(11)) dev up0 onlink"])
            _ = try await field.host.startAgent()
            let (operatorAddress, target) = (field.source6(13), field.host.hostAddresses[1])
            _ = try field.host.client.start([
                "socat", "EXEC:sleep 60", "TCP6:[\(target)]:22,bind=[\(operatorAddress)]",
            ])
            _ = try field.host.host.namespace.start(
                ["sleep", "60"], environment: ["SSH_CONNECTION": "\(operatorAddress) 40000 \(target) 22"])
            for number in 10...14 { try await field.guess(from: field.source6(number)) }
            try await field.awaitAction(.active, field.source6(10))
            for (number, why) in [(11, "a gateway"), (12, "is protected"), (13, "in a session of administration")] {
                let refused = try await field.awaitAction(.refused, field.source6(number))
                #expect(refused.problem?.contains(why) == true, "\(number): \(refused.problem ?? "-")")
            }
            let friend = try await field.awaitAction(.failed, field.source6(14))
            #expect(friend.problem?.contains("allow feed") == true, "\(friend.problem ?? "-")")
            for number in 11...14 { #expect(try await field.isServed(field.source6(number)), "\(number)") }
            // By hand neither, unless somebody insists.
            for (address, why) in [
                (field.source6(11), "a gateway"), (target, "this host's own"),
                (operatorAddress, "in a session of administration"), (field.host.clientAddresses[1], "a gateway"),
            ] {
                let block = try await field.host.agent.tool("shield", "block", address, "--for", "1h")
                #expect(block.status != 0 && block.errors.contains(why), "\(address): \(block.errors)")
            }
            let insists = try await field.host.agent.tool(
                "shield", "block", field.source6(11), "--for", "1h", "--force")
            #expect(insists.status == 0, "\(insists.errors)")
        }
    }

    /// Frames with another's address as their source, from the same link.
    @Test(arguments: [false, true])
    func `scans and floods in somebody's name do not have that one blocked`(isIPv6: Bool) async throws {
        try await withTestBed(subnet: 61) { bed in
            let field = try await AttackField(
                bed, shield: "synDefence: auto", "response: {mode: on, severity: low, blockTime: 1h}")
            let (network, victim) = isIPv6 ? ("fdbb:bad::/64", "fdbb:bad::77") : ("198.18.0.0/15", "198.18.7.7")
            let gateway = field.host.clientAddresses[isIPv6 ? 1 : 0]
            try await bed.ipBatch(field.host.host.namespace, ["route add \(network) via \(gateway)"])
            try await bed.ipBatch(
                field.host.client,
                ["address add \(victim)/\(isIPv6 ? "128" : "32") dev eth0" + (isIPv6 ? " nodad" : "")])
            _ = try await field.host.startAgent()
            // Somebody who uses the host, and goes on doing so.
            for _ in 0..<5 { #expect(try await field.isServed(victim)) }
            let target = field.target(of: victim)
            let scan = try await field.host.client.run(
                ["nmap", "-n", "-Pn", "-sS", "-S", victim, "-e", "eth0", "-p", "1-1000", "-T5", target]
                    + (isIPv6 ? ["-6"] : []), within: .seconds(60))
            #expect(scan.status == 0, "\(scan.errors)")
            let flood = try await field.synFlood(target)
            async let sent = flood.send(from: field.host.client, rate: 5000, for: .seconds(4))
            try await eventually("the flood is found") {
                try await field.host.control.alerts(.everything).alerts.contains { $0.detector == "syn-flood" }
            }
            #expect(try await field.isServed(victim), "while it goes on")
            #expect(try await sent > 10_000)
            try await eventually("the scan is found") {
                try await field.host.control.alerts(.everything).alerts.contains { $0.detector == "port-scan" }
            }
            try await Task.sleep(for: .seconds(1))
            let actions = try await field.actions(isWhole: true).filter { $0.action == "block" }
            #expect(!actions.isEmpty && actions.allSatisfy { $0.state == .refused }, "\(actions)")
            #expect(try await field.host.control.shieldReport().blocks.isEmpty)
            #expect(try await field.isServed(victim))
        }
    }

    @Test func `a flood of datagrams brings limits into force, which hold without the agent and end by themselves`()
        async throws
    {
        try await withTestBed(subnet: 61) { bed in
            let field = try await AttackField(
                bed,
                """
                response: {mode: off, detectors: {udp-flood: on}, limitTime: 20s, limits: {source: {packets: {rate: 50, burst: 50}}}}
                """)
            let agent = try await field.host.startAgent()
            try await field.addSources6([10, 11])
            try writeFile(bed.path("send.py"), Self.sender)
            let target = field.host.hostAddresses[1]
            func send(_ source: String, _ port: Int, rate: Int, seconds: Int) async throws -> Int {
                let result = try await field.host.client.run(
                    ["python3", bed.path("send.py"), source, target, "\(port)", "\(rate)", "\(seconds)"],
                    within: .seconds(60)
                ).checked()
                return try #require(Int(result.text), "\(result.output)")
            }
            #expect(try await send(field.source6(11), 7001, rate: 200, seconds: 1) > 150, "echoed without a limit")
            _ = try await send(field.source6(10), 9999, rate: 10_000, seconds: 3)
            try await field.awaitAction(.active, target, "rate-limit")
            #expect(try await send(field.source6(10), 7001, rate: 500, seconds: 1) < 150)
            await agent.kill()
            #expect(try await send(field.source6(11), 7001, rate: 500, seconds: 1) < 150, "the agent is dead")
            _ = try await field.host.startAgent()
            #expect(try await send(field.source6(11), 7001, rate: 500, seconds: 1) < 150, "another agent")
            try await field.awaitAction(.ended, target, "rate-limit", within: .seconds(30))
            #expect(try await send(field.source6(11), 7001, rate: 500, seconds: 1) > 300)
        }
    }

    @Test func `a feed cuts off neither gateways nor the operator nor the host itself, in either family`() async throws
    {
        try await withTestBed(subnet: 61) { bed in
            let feed = bed.path("bogons.netset")
            let field = try await AttackField(
                bed, shield: "failsafePorts: [], feeds: [{name: bogons, path: \(feed)}]", "response: {mode: off}")
            try await field.addSources(10...12)
            try await field.addSources6(10...12)
            try await bed.ipBatch(
                field.host.host.namespace,
                [
                    "route add 192.0.2.0/24 via \(field.source(11))",
                    "route add 2001:db8:77::/48 via \(field.source6(11)) dev up0 onlink",
                ])
            for address in [field.source(12), field.source6(12)] {
                let (target, isIPv6) = (field.target(of: address), address.contains(":"))
                let (there, here) = isIPv6 ? ("[\(target)]", "[\(address)]") : (target, address)
                _ = try field.host.client.start([
                    "socat", "EXEC:sleep 100", "TCP\(isIPv6 ? 6 : 4):\(there):22,bind=\(here)",
                ])
                _ = try field.host.host.namespace.start(
                    ["sleep", "100"], environment: ["SSH_CONNECTION": "\(address) 40000 \(target) 22"])
            }
            // What lists of unused networks name.
            try writeFile(feed, "100.64.0.0/10\nfdbb:\(bed.subnet)::/32\n")
            _ = try await field.host.startAgent()
            for address in [
                field.source(11), field.source6(11), field.host.clientAddresses[1], field.source(12), field.source6(12),
            ] {
                #expect(try await field.isServed(address), "\(address)")
            }
            for address in [field.source(10), field.source6(10)] {
                #expect(try await field.isServed(address) == false, "\(address)")
            }
            let text = try await field.host.agent.tool("shield", "feeds").checked().output
            for address in [field.source(11), field.source6(11), field.target, field.host.hostAddresses[1]] {
                #expect(text.contains(address), "\(address): \(text)")
            }
            // Somebody becomes a gateway while the agent runs.
            try await bed.ipBatch(
                field.host.host.namespace,
                [
                    "route add 198.51.100.0/24 via \(field.source(10))",
                    "route add 2001:db8:78::/48 via \(field.source6(10)) dev up0 onlink",
                ])
            try await eventually("it is spared", within: .seconds(15)) {
                let served = (try await field.isServed(field.source(10)), try await field.isServed(field.source6(10)))
                return served.0 && served.1
            }
        }
    }

    /// Sends so many datagrams a second from one socket, and prints how many came back.
    private static let sender = """
        import socket, sys, time
        source, target, port, rate, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
        s = socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((source, 0))
        s.setblocking(False)
        begin, sent, heard = time.monotonic(), 0, 0
        while time.monotonic() < begin + seconds + 0.5:
            due = int((min(time.monotonic() - begin, seconds)) * rate) - sent
            for _ in range(max(0, due)):
                try: s.sendto(b"x" * 64, (target, port))
                except OSError: pass
                sent += 1
            try:
                while True:
                    s.recv(2048)
                    heard += 1
            except OSError: pass
            time.sleep(0.002)
        print(heard)

        """
}
