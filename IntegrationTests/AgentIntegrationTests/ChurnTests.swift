// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

@Suite(.serialized) struct ChurnTests {
    /// The workloads file names two devices that come and go; it is written anew each time, so that the agent looks.
    @Test func `interfaces that vanish while they are attached leave nothing behind`() async throws {
        try await withTestBed(subnet: 55) { bed in
            let shop = try await Shop(bed)
            let agent = try await shop.startAgent()
            try await shop.enforce(Shop.clientOnly)
            let path = shop.agent.workloadsPath
            try await bed.shell("cp \(path) \(path).base")
            let churn = """
                i=0
                while [ $i -lt 25 ]; do
                    for d in 0 1; do
                        ip link add ch$d type veth peer name cp$d && ip link set ch$d up
                    done
                    { cat \(path).base
                      for d in 0 1; do
                        echo "  - {name: churn$d, interface: ch$d, addresses: [10.9.$d.1], labels: {app: \\"churn$((i % 2))\\"}}"
                      done; } > \(path).made
                    mv \(path).made \(path)
                    sleep 0.0$((i % 5))
                    ip link del ch0; ip link del cp1
                    i=$((i + 1))
                done
                """
            try await shop.host.namespace.shell(churn, within: .seconds(60))
            #expect(agent.exitStatus == nil, "\(agent.errors)")
            #expect(try await shop.client.canConnect(to: shop.server.address4, port: 80))
            #expect(try await !shop.intruder.canConnect(to: shop.server.address4, port: 80))
            try await shop.host.namespace.shell("ip link add ch0 type veth peer name cp0")
            try await eventually("the last of them is attached, and nothing else is") {
                let report = try await shop.control.status()
                let attached = Set(report.kernel.attachments.map(\.interface))
                return attached == ["v2", "v3", "v4", "ch0"] && report.state.attachedEndpoints == 4
            }
            let problems = try await shop.control.endpoints().filter { $0.problem != nil }.map(\.name)
            #expect(problems == ["churn1"])
            try await eventually("links, in place of filters, of these alone", within: .seconds(60)) {
                try await bed.shell("ls \(shop.agent.pinDirectory)/v*/links | wc -l").text == "8"
            }
            #expect(try await shop.control.dump(.endpoints, limit: 100).rows.count == 4)
        }
    }
}
