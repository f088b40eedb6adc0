// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

/// Changes of applied policies that are undone: by hand, by the agent, and by nobody because it was killed.
@Suite(.serialized) struct HistoryTests {
    private static func apply(_ shop: Shop, _ policy: String, _ flags: String...) async throws -> CommandResult {
        switch flags.count {
        case 0: try await shop.agent.tool("policy", "apply", "-f", "-", input: policy)
        default: try await shop.agent.tool("policy", "apply", "--confirm", flags[0], "-f", "-", input: policy)
        }
    }

    /// True if the client reaches tcp/80 over both families: `Shop.clientOnly` lets it, `Shop.udpOnly` does not.
    private static func isOpen(_ shop: Shop) async throws -> Bool {
        let probes = Probe.all([.tcp(80)], [shop.server.address4, shop.server.address6])
        let reached = try await shop.client.namespace.reach(probes)
        guard reached.isEmpty || reached == probes else { throw TestBedError("a mixture: \(reached)") }
        return !reached.isEmpty
    }

    @Test func `an unconfirmed change is taken back, also by an agent that was killed meanwhile`() async throws {
        try await withTestBed(subnet: 55) { bed in
            let shop = try await Shop(bed)
            var agent = try await shop.startAgent()
            _ = try await Self.apply(shop, Shop.clientOnly).checked()
            #expect(try await Self.isOpen(shop))
            // What it would change, said beforehand.
            let plan = try await shop.agent.tool("policy", "apply", "--plan", "-f", "-", input: Shop.udpOnly(7001))
            let closed = "because no ingress rule of NetworkPolicy/shop/server allows it"
            for line in [
                "NetworkPolicy/shop/server would be changed",
                "shop/client -> shop/server tcp/80: allow becomes deny \(closed)",
                "shop/intruder -> shop/server udp/7001: deny becomes allow by NetworkPolicy/shop/server ingress[0]",
            ] { #expect(plan.output.contains(line), "\(plan.output)\(plan.errors)") }
            let set = "\(shop.agent.policyDirectory)/.set"
            try writeFile(
                set, "{apiVersion: projectcalico.org/v3, kind: GlobalNetworkSet, metadata: {name: s}, spec: {nets: []}}"
            )
            let both = try await shop.agent.tool(
                "policy", "apply", "--plan", "-f", "-", "-f", set, input: Shop.udpOnly(7001))
            for line in ["GlobalNetworkSet/s would be added", "NetworkPolicy/shop/server would be changed"] {
                #expect(both.output.contains(line), "\(both.output)\(both.errors)")
            }
            #expect(try await Self.isOpen(shop))
            // By the agent that runs.
            let applied = try await Self.apply(shop, Shop.udpOnly(7001), "10s").checked()
            #expect(applied.output.contains("revision 2 goes back to 1 in 10 s"), "\(applied.output)")
            let status = try await shop.agent.tool("status").checked()
            #expect(status.output.contains("unless `bulkhead policy confirm 2` comes first"), "\(status.output)")
            #expect(try await Self.apply(shop, Shop.udpOnly(7002)).status == 4, "one change at a time waits")
            try await eventually("it is taken back", within: .seconds(20)) { try await Self.isOpen(shop) }
            #expect(try await shop.agent.tool("policy", "confirm").status == 1)

            // By the next agent, which finds the time over.
            _ = try await Self.apply(shop, Shop.udpOnly(7001), "8s").checked()
            #expect(try await !Self.isOpen(shop))
            await agent.kill()
            try await Task.sleep(for: .seconds(8))
            #expect(try await !Self.isOpen(shop), "enforcement outlives the agent")
            agent = try await shop.startAgent()
            #expect(try await Self.isOpen(shop))

            // By the next agent, which waits for the rest of the time.
            _ = try await Self.apply(shop, Shop.udpOnly(7001), "15s").checked()
            await agent.kill()
            agent = try await shop.startAgent()
            #expect(try await shop.control.status().confirmation?.revision == 6)
            #expect(try await !Self.isOpen(shop))
            try await eventually("it is taken back", within: .seconds(30)) { try await Self.isOpen(shop) }

            // What is confirmed stays.
            _ = try await Self.apply(shop, Shop.udpOnly(7001), "6s").checked()
            _ = try await shop.agent.tool("policy", "confirm", "8").checked()
            try await Task.sleep(for: .seconds(7))
            #expect(try await !Self.isOpen(shop))

            // And by hand.
            _ = try await shop.agent.tool("policy", "rollback", "1").checked()
            #expect(try await Self.isOpen(shop))
            let history = try await shop.agent.tool("policy", "history").checked().output
            for expected in ["rollback to 1", "back to 5, not confirmed", "uid 0", "+NetworkPolicy/shop/server"] {
                #expect(history.contains(expected), "\(history)")
            }
            #expect(try await shop.control.status().problems.isEmpty)
        }
    }

    @Test func `a policy with an end goes out of force by itself`() async throws {
        try await withTestBed(subnet: 55) { bed in
            let shop = try await Shop(bed)
            _ = try await shop.startAgent()
            let end = try await bed.shell("date -u -d '+10 seconds' +%FT%TZ").text
            let annotation = "namespace: shop, annotations: {bulkhead.dev/validUntil: \"\(end)\"}}"
            let policy = Shop.udpOnly(7001).replacing("namespace: shop}", with: annotation)
            _ = try await Self.apply(shop, policy).checked()
            #expect(try await !Self.isOpen(shop))
            try await eventually("it is out of force", within: .seconds(25)) { try await Self.isOpen(shop) }
            let listed = try await shop.agent.tool("policy", "get").checked().output
            #expect(listed.contains("out of force since \(end)"), "\(listed)")
            let report = try await shop.control.status()
            #expect(report.timedPolicies?.map(\.inForce) == [false] && report.problems.isEmpty)
        }
    }

    /// Two policies with the same port.
    private static func both(_ port: Int) -> String {
        Shop.udpOnly(port) + "---\n" + Shop.udpOnly(port).replacing("name: server", with: "name: second")
    }

    /// Two policies that change together, under an agent that is killed at any moment: never one without the other.
    @Test func `killed while policies are applied and rolled back, it has all of a revision or nothing`() async throws {
        try await withTestBed(subnet: 55) { bed in
            let shop = try await Shop(bed)
            var agent = try await shop.startAgent()
            _ = try await Self.apply(shop, Self.both(7000)).checked()
            var generator = SeededGenerator(state: 0x1157)
            var newest = 1
            for round in 1...20 {
                let asked = shop.agent, target = round % 4 == 3 && newest > 1 ? newest - 1 : nil
                let change = Task { () async throws -> Int32 in
                    guard let target else {
                        let input = Self.both(7000 + round)
                        return try await asked.tool("policy", "apply", "-f", "-", input: input).status
                    }
                    return try await asked.tool("policy", "rollback", "\(target)").status
                }
                try await Task.sleep(for: .microseconds(Int.random(in: 20_000...350_000, using: &generator)))
                await agent.kill()
                let isDone = try await change.value == 0
                agent = try await shop.startAgent()
                let report = try await shop.control.history(limit: 100)
                let now = try #require(report.revisions.first?.number)
                #expect(now == newest + 1 || (now == newest && !isDone), "round \(round)")
                newest = now
                var ports: Set<Substring> = []
                for name in ["server", "second"] {
                    let document = try await shop.control.policy(name).document ?? ""
                    ports.insert(document.split(separator: "port: ").last?.prefix(4) ?? "none")
                }
                #expect(ports.count == 1, "round \(round): \(ports)")
                #expect(report.revisions.map(\.number) == Array((1...now).reversed()), "round \(round)")
            }
            #expect(newest > 3, "\(newest) revisions")
            #expect(try await shop.control.status().problems.isEmpty)
        }
    }
}
