// SPDX-License-Identifier: Apache-2.0

import ControlAPI
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
}
