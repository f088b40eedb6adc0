// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

/// The shield on a device of a host, with a client outside: feeds, blocks, monitor mode, life without the agent.
@Suite(.serialized) struct ShieldTests {
    private func build(_ bed: TestBed, mode: String) async throws -> HostBed {
        try writeFile(bed.path("drop.netset"), "# nobody yet\n203.0.113.0/24\n")
        return try await HostBed(
            bed,
            more: "shield: {mode: \(mode), devices: [up0], feeds: [{name: drop, path: \(bed.path("drop.netset"))}]}")
    }

    private func reaches(_ host: HostBed, _ ports: [Int]) async throws -> Set<Probe> {
        let probes = Probe.all(ports.map { .tcp($0) }, host.hostAddresses)
        return try await host.client.reach(probes, expecting: probes)
    }

    @Test func `a feed cuts its sources off but for failsafe ports, follows its file, and outlives the agent`()
        async throws
    {
        try await withTestBed(subnet: 56) { bed in
            let host = try await build(bed, mode: "enforce")
            let agent = try await host.startAgent()
            let report = try await host.control.shieldReport()
            #expect(report.devices.map(\.name) == ["up0"])
            #expect(report.devices.first?.hook == "native", "\(report.devices)")
            #expect(report.devices.first?.reason == "the driver takes XDP")
            #expect(try await reaches(host, [22, 80]).count == 4)
            let clients = host.clientAddresses.joined(separator: "\n")
            try writeFile(bed.path("drop.netset"), "203.0.113.0/24\n\(clients)\nnonsense\n")
            try await eventually("the feed is in force") {
                try await host.control.shieldReport().feeds.first?.prefixes == 3
            }
            #expect(try await reaches(host, [22, 80]) == Probe.all([.tcp(22)], host.hostAddresses))
            let feeds = try await host.agent.tool("shield", "feeds")
            #expect(feeds.output.contains("drop.netset:4:1: "), "\(feeds.output)")
            let hits = try await host.control.shieldReport()
            #expect(hits.feeds.first.map { $0.packets > 0 && $0.faults == 1 } == true)
            #expect(hits.drops.contains { $0.reason == "shield-feed" && !$0.wouldDrop })
            let flows = try await host.agent.tool("observe", "--reason", "shield-feed", "-o", "json").checked().output
            #expect(flows.contains("\"rule\":\"feed drop\""), "\(flows)")
            #expect(flows.contains(host.clientAddresses[0]) && flows.contains(host.clientAddresses[1]), "\(flows)")
            await agent.kill()
            #expect(try await reaches(host, [80]).isEmpty, "the agent is dead")
            let detach = try await host.agent.tool("detach", "--bpffs", host.agent.pinDirectory)
            #expect(detach.status == 0, "\(detach.output)\(detach.errors)")
            #expect(try await reaches(host, [22, 80]).count == 4)
            #expect(try await bed.run(["find", host.agent.pinDirectory, "-type", "f"]).text.isEmpty)
        }
    }

    @Test func `a block cuts a source off until it ends or is lifted, and is there after a restart`() async throws {
        try await withTestBed(subnet: 56) { bed in
            let host = try await build(bed, mode: "enforce")
            let agent = try await host.startAgent()
            for address in host.clientAddresses {
                let block = try await host.agent.tool("shield", "block", address, "--for", "1h")
                #expect(block.status == 0, "\(block.errors)")
            }
            #expect(try await reaches(host, [22, 80]) == Probe.all([.tcp(22)], host.hostAddresses))
            let own = try await host.agent.tool("shield", "block", host.hostAddresses[0])
            #expect(own.status != 0 && own.errors.contains("this host's own"), "\(own.errors)")
            _ = await agent.stop()
            _ = try await host.startAgent()
            #expect(try await host.control.shieldReport().blocks.count == 2)
            #expect(try await reaches(host, [80]).isEmpty)
            for address in host.clientAddresses {
                #expect(try await host.agent.tool("shield", "unblock", address).status == 0)
            }
            #expect(try await reaches(host, [22, 80]).count == 4)
            let short = try await host.agent.tool("shield", "block", host.clientAddresses[0], "--for", "1s")
            #expect(short.status == 0)
            try await eventually("the block has ended") {
                try await host.control.shieldReport().blocks.isEmpty
            }
            #expect(try await reaches(host, [80]).count == 2)
        }
    }

    @Test func `monitor mode passes what it counts`() async throws {
        try await withTestBed(subnet: 56) { bed in
            let host = try await build(bed, mode: "monitor")
            _ = try await host.startAgent()
            for address in host.clientAddresses {
                #expect(try await host.agent.tool("shield", "block", address).status == 0)
            }
            #expect(try await reaches(host, [80]).count == 2)
            let drops = try await host.control.shieldReport().drops
            #expect(drops.contains { $0.reason == "shield-block" && $0.wouldDrop && $0.packets > 0 }, "\(drops)")
            #expect(!drops.contains { !$0.wouldDrop })
        }
    }

    @Test func `a feed whose file is gone when the agent starts stays in force, and so does one that shrank`()
        async throws
    {
        try await withTestBed(subnet: 56) { bed in
            let host = try await build(bed, mode: "enforce")
            let others = (1...20).map { "203.0.113.\($0)" }
            let path = bed.path("drop.netset")
            try writeFile(path, (others + host.clientAddresses).joined(separator: "\n") + "\n")
            let first = try await host.startAgent()
            #expect(try await reaches(host, [80]).isEmpty)
            _ = await first.stop()
            try renameFile(path, to: "\(path).away")
            let second = try await host.startAgent()
            #expect(try await reaches(host, [80]).isEmpty)
            let report = try await host.control.shieldReport()
            let feed = try #require(report.feeds.first)
            #expect(feed.isRemembered == true && feed.prefixes == 22)
            #expect(feed.problem?.contains("the 22 prefixes read before stay in force") == true)
            #expect(report.problems.contains { $0.contains("stay in force") })
            _ = await second.stop()
            // Emptied by mistake, also while nobody looked.
            try writeFile(path, "# nothing\n")
            _ = try await host.startAgent()
            #expect(try await reaches(host, [80]).isEmpty)
            #expect(try await host.control.shieldReport().feeds.first?.problem?.contains("shrank from 22 to 0") == true)
            #expect(try await host.agent.tool("shield", "accept", "nothing").status != 0)
            #expect(try await host.agent.tool("shield", "accept", "drop").status == 0)
            #expect(try await reaches(host, [80]).count == 2)
            // All of the Internet, by mistake.
            try writeFile(path, "0.0.0.0/0\n::/0\n203.0.113.1\n")
            try await eventually("the feed was read") {
                try await host.control.shieldReport().feeds.first.map { $0.prefixes == 1 && $0.faults == 2 } == true
            }
            #expect(try await reaches(host, [80]).count == 2)
        }
    }

    @Test func `blocks end by the kernel's clock, whatever time the agent believes it is`() async throws {
        try await withTestBed(subnet: 56) { bed in
            let host = try await build(bed, mode: "enforce")
            let tenDays = "864000"
            let agent = try host.host.namespace.start([
                "unshare", "--time", "--monotonic", tenDays, "--boottime", tenDays, "--fork", "--kill-child", "--",
                TestAgent.product("bulkhead-agent"), "--config", "\(host.agent.directory)/agent.yaml",
            ])
            try await eventually("the shield stands", within: .seconds(20)) {
                try await host.control.shieldReport().devices.first?.hook == "native"
            }
            for address in host.clientAddresses {
                let block = try await host.agent.tool("shield", "block", address, "--for", "8s", "--cause", "a test")
                #expect(block.status == 0 && block.output.contains("a test"), "\(block.output) \(block.errors)")
            }
            let blocks = try await host.control.shieldReport().blocks
            #expect(blocks.count == 2 && blocks.allSatisfy { $0.secondsLeft <= 8 && $0.cause == "a test" })
            #expect(try await reaches(host, [80]).isEmpty)
            try await eventually("the blocks have ended", within: .seconds(12)) {
                try await host.control.shieldReport().blocks.isEmpty
            }
            #expect(try await reaches(host, [80]).count == 2)
            await agent.kill()
        }
    }
}
