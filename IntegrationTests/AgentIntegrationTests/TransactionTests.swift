// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

@Suite(.serialized) struct TransactionTests {
    /// Two policies in turn, each opening the port that the other closes.
    ///
    /// Every packet's event carries the generation that judged it, so a packet judged by a mixture would show two
    /// answers within one generation.
    @Test func `not one packet is judged by a mixture while policies change under traffic`() async throws {
        try await withTestBed(subnet: 22) { bed in
            let shop = try await Shop(bed, configuration: "flows: 1000000")
            _ = try await shop.startAgent()
            try await shop.enforce(Shop.udpOnly(7001))
            let traffic = try shop.client.namespace.start(["sh", "-c", Self.flood(to: shop.server.address4)])
            let traffic6 = try shop.client.namespace.start(["sh", "-c", Self.flood(to: "[\(shop.server.address6)]")])
            for round in 0..<30 {
                try shop.agent.writePolicy("policy.yaml", Shop.udpOnly(round % 2 == 0 ? 7002 : 7001))
                try await Task.sleep(for: .milliseconds(120))
            }
            await traffic.kill()
            await traffic6.kill()
            try await shop.settle()
            let flows = try await shop.flows {
                $0.endpoints = ["server"]
                $0.ports = ["7001", "7002"]
                $0.last = 1_000_000
            }
            var answers: [UInt32: [UInt16: Set<String>]] = [:]
            for flow in flows where flow.direction == "ingress" && flow.state != "reply" {
                guard let port = flow.destination.port else { continue }
                answers[flow.generation, default: [:]][port, default: []].insert(flow.verdict)
            }
            #expect(answers.count > 10, "traffic met \(answers.count) generations")
            for (generation, ports) in answers {
                let open = ports.filter { $0.value == ["allow"] }.keys
                let shut = ports.filter { $0.value == ["deny"] }.keys
                #expect(open.count + shut.count == ports.count, "generation \(generation) answers \(ports)")
                #expect(open.count <= 1 && shut.count <= 1, "generation \(generation) answers \(ports)")
            }
            #expect(try await shop.control.status().events.lostInKernel == 0)
        }
    }

    /// Datagrams from ever new source ports: each is a flow of its own and has its own verdict.
    private static func flood(to address: String) -> String {
        """
        while :; do
            for port in 7001 7002; do echo x | socat -u - UDP:\(address):$port 2>/dev/null; done
        done
        """
    }

    @Test func `a changed file is in force within a second`() async throws {
        try await withTestBed(subnet: 22) { bed in
            let shop = try await Shop(bed)
            _ = try await shop.startAgent()
            let clock = ContinuousClock()
            var times: [Duration] = []
            for port in [7001, 7002, 7001, 7002, 7001] {
                let began = clock.now
                try await shop.enforce(Shop.udpOnly(port))
                times.append(clock.now - began)
            }
            // The least: what others do on this machine meanwhile only ever adds.
            #expect(try #require(times.min()) < .seconds(1), "\(times)")
        }
    }
}
