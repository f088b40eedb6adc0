// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Synchronization
import TestBed
import Testing

/// The agent killed at any moment, also while it starts, under policies that change all the time.
@Suite(.serialized) struct KillTests {
    private static let kills = 32

    /// A policy for the server beside the one that stays, with more or fewer rules and other ports each time.
    private static func extra(_ round: Int) -> String {
        let rules = (0...(round % 5)).map { number in
            "    - from: [{podSelector: {matchLabels: {app: nobody\(number)}}}]\n"
                + "      ports: [{port: \(1000 + round % 7 * 64), endPort: \(1900 + round * 13 % 500)}, {port: \(9000 + round % 90)}]\n"
        }
        return """
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata: {name: extra\(round % 3), namespace: shop}
            spec:
              podSelector: {matchLabels: {app: \(round % 4 == 0 ? "client" : "server")}}
              policyTypes: [Ingress]
              ingress:
            \(rules.joined())
            """
    }

    /// Changes policies until it is stopped.
    private static func changePolicies(_ shop: Shop, until isOver: borrowing Atomic<Bool>) async throws -> Int {
        var round = 0
        while !isOver.load(ordering: .relaxed) {
            try shop.agent.writePolicy("extra\(round % 3).yaml", extra(round))
            round += 1
            try await Task.sleep(for: .milliseconds(7))
        }
        return round
    }

    private static func expectWhole(_ shop: Shop, _ moment: String) async throws {
        let probes = Probe.all([.tcp(80), .tcp(81)], [shop.server.address4, shop.server.address6])
        let open = Probe.all([.tcp(80)], [shop.server.address4, shop.server.address6])
        #expect(try await shop.client.namespace.reach(probes, expecting: open) == open, "\(moment)")
        #expect(try await shop.intruder.namespace.reach(probes).isEmpty, "\(moment)")
    }

    @Test func `killed at random moments under changing policies, the next start repairs everything`() async throws {
        try await withTestBed(subnet: 55) { bed in
            let shop = try await Shop(bed)
            var agent = try await shop.startAgent()
            try await shop.enforce(Shop.clientOnly)
            let isOver = Atomic(false)
            var generator = SeededGenerator(state: 0xbad_c0de)
            async let changes = Self.changePolicies(shop, until: isOver)
            for kill in 0..<Self.kills {
                // Some in the middle of a start, some in the middle of a commit of an agent that runs.
                if kill % 3 == 0 {
                    try await eventually("an agent that runs", within: .seconds(20)) {
                        try await shop.control.status().condition == .ready
                    }
                }
                try await Task.sleep(for: .microseconds(Int.random(in: 0...200_000, using: &generator)))
                #expect(agent.exitStatus == nil, "\(agent.errors)")
                await agent.kill()
                if kill % 6 == 5 { try await Self.expectWhole(shop, "after kill \(kill)") }
                agent = try shop.agent.start()
            }
            isOver.store(true, ordering: .relaxed)
            #expect(try await changes > 100)
            await agent.kill()
            agent = try await shop.startAgent()
            try await shop.settle()
            #expect(try await shop.control.status().problems.isEmpty)
            try await Self.expectWhole(shop, "at the end")
            try await Self.expectLikeNew(shop, agent)
        }
    }

    /// Filters judge at first; links, which are pinned, take their place.
    private static func expectLinks(_ shop: Shop) async throws {
        try await eventually("links in place of filters", within: .seconds(60)) {
            try await shop.control.status().kernel.attachments.allSatisfy { $0.hook == "tcx" }
        }
    }

    /// The pinned tables hold what an agent that finds no pins compiles from nothing, and there is no pin besides.
    private static func expectLikeNew(_ shop: Shop, _ agent: SpawnedProcess) async throws {
        let (survived, fresh) = (shop.agent.pinDirectory, "\(shop.agent.pinDirectory)/fresh")
        try await expectLinks(shop)
        #expect(await agent.stop() == 0)
        let tables = try PinnedTables(pinDirectory: survived)
        let next = try await shop.startAgent(["--bpffs", fresh])
        try await shop.settle()
        try await expectLinks(shop)
        #expect(await next.stop() == 0)
        let newTables = try PinnedTables(pinDirectory: fresh)
        #expect(!newTables.entries.isEmpty && !newTables.subjects.isEmpty)
        #expect(tables == newTables)
        let list = { (directory: String) in
            try await shop.host.bed.shell("cd \(directory)/v* && find . -type f | sort").text
        }
        let (pins, newPins) = (try await list(survived), try await list(fresh))
        #expect(pins == newPins && pins.contains("./links/"))
        let state = try await shop.host.bed.shell("find \(shop.agent.directory) -name '*.new'").text
        #expect(state.isEmpty)
    }
}
