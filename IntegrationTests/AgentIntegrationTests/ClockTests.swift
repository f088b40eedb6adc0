// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import LinuxHost
import TestBed
import Testing

@Suite(.serialized) struct ClockTests {
    /// Time-outs count the kernel's ticks.
    ///
    /// An agent whose clocks (monotonic and since boot) are ten days ahead of the kernel's sees the same flows as just
    /// as old, and sweeps none of them away. The wall clock is read for text only: `Tests/TidyTests` keeps it so.
    @Test func `flows do not age by the agent's clocks`() async throws {
        try await withTestBed(subnet: 54) { bed in
            let shop = try await Shop(bed, configuration: "sweepInterval: 200ms")
            let tenDays = "864000"
            let agent = try shop.host.namespace.start(
                [
                    "unshare", "--time", "--monotonic", tenDays, "--boottime", tenDays, "--fork", "--kill-child", "--",
                    TestAgent.product("bulkhead-agent"), "--config", "\(shop.agent.directory)/agent.yaml",
                ])
            try await eventually("it has attached the workloads", within: .seconds(20)) {
                try await shop.control.status().state.attachedEndpoints == 3
            }
            try await shop.enforce(Shop.clientOnly)
            #expect(try await shop.client.canPing(shop.server.address4) == false)
            #expect(try await shop.client.canConnect(to: shop.server.address4, port: 80))
            for _ in 0..<5 {
                try await Task.sleep(for: .milliseconds(200))
                let dump = try await shop.control.dump(.conntrack, limit: 1000)
                let idle = try #require(dump.columns.firstIndex(of: "idle"))
                let flows = dump.rows.filter { $0.contains { $0.hasSuffix(":80") } }
                #expect(!flows.isEmpty, "swept away")
                #expect(flows.allSatisfy { ["0s", "1s", "2s", "3s"].contains($0[idle]) }, "\(flows.map { $0[idle] })")
            }
            await agent.kill()
        }
    }

    /// The wall clock jumps by more than a year, ahead and back: nobody is let in, cut off or kept waiting.
    @Test func `a wall clock that jumps by 500 days changes nothing but what is printed`() async throws {
        try await withTestBed(subnet: 54) { bed in
            let shop = try await Shop(bed, configuration: "sweepInterval: 200ms")
            let clock = bed.path("clock")
            try writeFile(clock, "+0d\n")
            let agent = try shop.agent.start(environment: try Self.fakedWallClock(file: clock))
            try bed.noteCleanup("rm -f /dev/shm/faketime_shm_\(agent.pid) /dev/shm/sem.faketime_sem_\(agent.pid)")
            try await shop.awaitAttached(agent)
            try await shop.enforce(Shop.clientOnly)
            let pipe = bed.path("talk")
            try await bed.shell("mkfifo \(pipe)")
            let talk = try shop.client.namespace.start(
                ["sh", "-c", "exec 3<>\(pipe); socat -t 1 - TCP:\(shop.server.address4):80 <&3"])
            for (jump, port) in [("+0d", 81), ("+500d", 80), ("-500d", 81), ("+0d", 80)] {
                try writeFile(clock, jump + "\n")
                try await Self.expectServing(shop, jump)
                try await bed.shell("echo word\(jump)\(port) > \(pipe)")
                try await eventually("the connection lives on at \(jump)") {
                    talk.output.contains("word\(jump)\(port)")
                }
                // Another port to begin with, so that each turn is a change; the open connection stays allowed.
                let others = Shop.clientOnly.replacing("{port: 80}", with: "{port: 80}, {port: \(port + 100)}")
                try await shop.enforce(others)
                #expect(try await shop.intruder.namespace.reach(Self.doors(shop)).isEmpty, "\(jump)")
            }
            await agent.stop()
        }
    }

    /// Both families of the server's open port.
    private static func doors(_ shop: Shop) -> Set<Probe> {
        Probe.all([.tcp(80)], [shop.server.address4, shop.server.address6])
    }

    /// The agent says what time it is now for it, enforces, and answers what people ask.
    private static func expectServing(_ shop: Shop, _ jump: String) async throws {
        #expect(try await shop.client.namespace.reach(doors(shop), expecting: doors(shop)) == doors(shop), "\(jump)")
        #expect(try await shop.intruder.namespace.reach(doors(shop)).isEmpty, "\(jump)")
        #expect(try await shop.control.status().condition == .ready, "\(jump)")
        let denied = ExplainRequest(from: "intruder", to: "server", port: 80, protocol: nil)
        #expect(try await shop.control.explain(denied).verdict == "deny", "\(jump)")
        try await eventually("the flow of the moment is told, with the agent's own date") {
            let flows = try await shop.flows {
                $0.verdicts = ["deny"]
                $0.last = 1
            }
            let date = try await shop.host.bed.shell("date -u -d '\(jump.dropLast()) days' +%F").output
            return flows.last.map { date.hasPrefix($0.time.prefix(10)) } ?? false
        }
    }

    /// Environment that puts the wall clock of a process where a file says, from the moment the file says it.
    ///
    /// For the process that the bed starts, not by way of a shell: the library sets a variable in the first process it
    /// is in, and where that is a Swift program the runtime no longer finds its arguments. Here it is `nsenter`.
    static func fakedWallClock(file: String) throws -> [String: String] {
        let folders = try directoryEntries("/usr/lib").map { "/usr/lib/\($0)/faketime" }
        let library = try #require(
            folders.map { "\($0)/libfaketimeMT.so.1" }.first { (try? readFile($0, bytesMax: 1 << 20)) != nil },
            "libfaketime is missing: make bootstrap")
        return [
            "LD_PRELOAD": library, "DONT_FAKE_MONOTONIC": "1", "FAKETIME_NO_CACHE": "1",
            "FAKETIME_TIMESTAMP_FILE": file,
        ]
    }
}
