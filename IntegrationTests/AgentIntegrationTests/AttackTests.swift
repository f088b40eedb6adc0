// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

/// What a workload with raw sockets may try, over a real bridge.
@Suite(.serialized) struct AttackTests {
    @Test func `frames that are led to another workload are dropped there and say so`() async throws {
        try await withTestBed(subnet: 25) { bed in
            let shop = try await Shop(bed)
            _ = try await shop.startAgent()
            let hardware = try await shop.intruder.namespace.shell("cat /sys/class/net/eth0/address").output
            let thief = hardware.split(separator: "\n").first.map(String.init) ?? ""
            for address in [shop.server.address4, shop.server.address6] {
                #expect(try await shop.host.namespace.run(["ping", "-n", "-c", "1", "-W", "1", address]).status == 0)
                try await shop.host.namespace.shell("ip neigh replace \(address) lladdr \(thief) dev br0 nud permanent")
                #expect(try await shop.host.namespace.run(["ping", "-n", "-c", "1", "-W", "1", address]).status != 0)
                let flows = try await eventuallyFlows(shop) {
                    $0.reasons = ["destination-address"]
                    $0.prefixes = [address]
                }
                #expect(flows.allSatisfy { $0.verdict == "deny" && $0.direction == "ingress" })
                // The bridge floods what it has not learned, so the client may have got a copy too.
                #expect(flows.contains { $0.endpoint == "intruder" })
            }
        }
    }
}
