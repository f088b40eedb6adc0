// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

/// Rules by DNS name with a real resolver and real lookups.
@Suite(.serialized) struct NameTests {
    @Test func `whoever resolves a permitted name reaches it at once, with the agent alive, dead and back`()
        async throws
    {
        try await withTestBed(subnet: 70) { bed in
            let field = try await NameField(bed)
            let process = try await field.startAgent()
            try await field.enforce(field.policy("**.deep.test"))
            #expect(try await field.resolveAndConnect(0..<3, "n%d.nope.test") == .init(connected: 0, refused: 3))
            #expect(try await field.resolveAndConnect(0..<600) == .init(connected: 1200, refused: 0))
            await process.kill()
            #expect(try await field.resolveAndConnect(600..<1200) == .init(connected: 1200, refused: 0))
            #expect(
                try await field.resolveAndConnect(1200..<1500, resolver: field.outside.address6)
                    == .init(connected: 600, refused: 0))
            #expect(try await field.resolveAndConnect(3..<5, "n%d.nope.test") == .init(connected: 0, refused: 2))
            _ = try await field.startAgent()
            // What was learnt before and while nobody was there still holds.
            #expect(try await field.client.canConnect(to: "198.18.0.1", port: 443))
            #expect(try await field.client.canConnect(to: "198.18.4.1", port: 443))
            #expect(
                try await field.resolveAndConnect(1500..<1800, options: "use-vc") == .init(connected: 600, refused: 0))
            #expect(try await !field.client.canConnect(to: "198.19.1.1", port: 443))
        }
    }

    @Test func `a name's time is over after its time to live and grace`() async throws {
        try await withTestBed(subnet: 70) { bed in
            let field = try await NameField(bed, dns: "grace: 1s, ttlMin: 1s")
            _ = try await field.startAgent()
            try await field.enforce(field.policy("short.other.test"))
            #expect(try await field.resolveAndConnect(0..<1, "short.other.test%.0s").connected == 1)
            try await Task.sleep(for: .seconds(3))
            #expect(try await !field.client.canConnect(to: "198.19.255.1", port: 443))
        }
    }

    @Test func `a rule that comes after the answer knows its addresses, and a rule that goes takes them along`()
        async throws
    {
        try await withTestBed(subnet: 70) { bed in
            let field = try await NameField(bed)
            _ = try await field.startAgent()
            try await field.enforce(field.policy("other.test"))
            #expect(try await field.resolveAndConnect(0..<1, "late.other.test%.0s").refused == 1)
            try await field.enforce(field.policy("*.other.test"))
            #expect(try await field.client.canConnect(to: "198.19.255.2", port: 443))
            let list = try await field.agent.tool("fqdn", "list").checked().output
            let line = try #require(list.split(separator: "\n").first { $0.contains("late.other.test") })
            #expect(line.contains("client") && line.contains("198.19.255.2"))
            #expect(line.contains("CiliumNetworkPolicy/shop/names egress[1]"))
            try await field.enforce(field.policy("other.test"))
            #expect(try await !field.client.canConnect(to: "198.19.255.2", port: 443))
        }
    }
}
