// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

@Suite(.serialized) struct EnforcementTests {
    @Test func `a policy keeps the intruder out and every verdict names its rule`() async throws {
        try await withTestBed(subnet: 20) { bed in
            let shop = try await Shop(bed)
            _ = try await shop.startAgent()
            #expect(try await shop.intruder.canConnect(to: shop.server.address4, port: 80), "open without a policy")
            try await shop.enforce(Shop.clientOnly)
            for address in [shop.server.address4, shop.server.address6] {
                #expect(try await shop.client.canConnect(to: address, port: 80))
                #expect(try await !shop.client.canConnect(to: address, port: 81))
                #expect(try await !shop.intruder.canConnect(to: address, port: 80))
                #expect(try await !shop.intruder.canPing(address))
            }
            let denied = try await eventuallyFlows(shop) { $0.verdicts = ["deny"] }
            #expect(denied.allSatisfy { $0.reason == "policy-default-deny" && $0.endpoint == "server" })
            #expect(denied.contains { $0.rule.contains("NetworkPolicy/shop/server") })
            #expect(Set(denied.map(\.source.endpoint)) == ["client", "intruder"])
            let allowed = try await eventuallyFlows(shop) {
                $0.verdicts = ["allow"]
                $0.endpoints = ["server"]
                $0.ports = ["80"]
            }
            #expect(
                allowed.contains {
                    $0.rule.hasPrefix("NetworkPolicy/shop/server ingress[0]") && $0.source.endpoint == "client"
                })
        }
    }

    @Test func `audit mode lets pass and reports what would be cut`() async throws {
        try await withTestBed(subnet: 20) { bed in
            let shop = try await Shop(bed)
            _ = try await shop.startAgent(["--audit"])
            try await shop.enforce(Shop.clientOnly)
            #expect(try await shop.intruder.canConnect(to: shop.server.address6, port: 80))
            let audited = try await eventuallyFlows(shop) { $0.verdicts = ["audit"] }
            #expect(audited.allSatisfy { $0.reason == "policy-default-deny" })
            #expect(audited.contains { $0.source.endpoint == "intruder" })
            // A connection opened under audit mode is judged like a new one once the mode is off.
            let pipe = bed.path("talk")
            try await bed.shell("mkfifo \(pipe)")
            let talk = try shop.intruder.namespace.start(
                ["sh", "-c", "exec 3<>\(pipe); socat -t 1 - TCP:\(shop.server.address4):80 <&3"])
            try await bed.shell("echo before > \(pipe)")
            try await eventually("the echo comes back") { talk.output.contains("before") }
            _ = try await shop.control.setAudit(false)
            try await shop.settle()
            try await bed.shell("echo after > \(pipe)")
            try await Task.sleep(for: .seconds(1))
            #expect(!talk.output.contains("after"))
            #expect(try await !shop.intruder.canConnect(to: shop.server.address6, port: 80))
        }
    }

    @Test func `a permission that is taken away cuts the open connection`() async throws {
        try await withTestBed(subnet: 20) { bed in
            let shop = try await Shop(bed)
            _ = try await shop.startAgent()
            try await shop.enforce(Shop.clientOnly)
            let pipe = bed.path("talk")
            try await bed.shell("mkfifo \(pipe)")
            let talk = try shop.client.namespace.start(
                ["sh", "-c", "exec 3<>\(pipe); socat -t 1 - TCP:\(shop.server.address4):80 <&3"])
            try await bed.shell("echo before > \(pipe)")
            try await eventually("the echo comes back") { talk.output.contains("before") }
            try await shop.enforce(Shop.clientOnly.replacing("app: client", with: "app: somebody-else"))
            try await bed.shell("echo after > \(pipe)")
            try await Task.sleep(for: .seconds(1))
            #expect(!talk.output.contains("after"))
            try await shop.enforce(Shop.clientOnly)
            try await eventually("the connection lives on when allowed again") { talk.output.contains("after") }
        }
    }

    @Test func `a port denied by its name towards everyone is closed as soon as a workload has the name`() async throws
    {
        try await withTestBed(subnet: 20) { bed in
            let shop = try await Shop(bed)
            _ = try await shop.startAgent()
            try await shop.enforce(
                """
                apiVersion: cilium.io/v2
                kind: CiliumNetworkPolicy
                metadata: {name: out, namespace: shop}
                spec:
                  endpointSelector: {matchLabels: {app: client}}
                  egress: [{toEntities: [all]}]
                  egressDeny: [{toPorts: [{ports: [{port: http, protocol: TCP}]}]}]

                """)
            #expect(try await shop.client.canConnect(to: shop.server.address4, port: 80), "nobody has the name")
            #expect(try await shop.control.status().warnings.map(\.code) == ["BH2103"])
            try shop.agent.writeWorkloads(
                [
                    (shop.server, "server", ["app": "server"]), (shop.client, "client", ["app": "client"]),
                    (shop.intruder, "intruder", ["app": "intruder"]),
                ], ports: ["server": ["http": 80]])
            try await eventually("the name is known", within: .seconds(3)) {
                try await shop.control.status().warnings.isEmpty
            }
            for address in [shop.server.address4, shop.server.address6] {
                #expect(try await !shop.client.canConnect(to: address, port: 80))
                #expect(try await shop.client.canConnect(to: address, port: 81))
                #expect(try await shop.intruder.canConnect(to: address, port: 80))
            }
        }
    }

    @Test func `a workload cannot send from another's address`() async throws {
        try await withTestBed(subnet: 20) { bed in
            let shop = try await Shop(bed)
            _ = try await shop.startAgent()
            try await shop.enforce(Shop.clientOnly)
            try await shop.intruder.namespace.shell(
                """
                ip address add \(shop.client.address4)/32 dev lo
                ip -6 address add \(shop.client.address6)/128 dev lo nodad
                """)
            for (source, target) in [
                (shop.client.address4, "TCP4:\(shop.server.address4)"),
                (shop.client.address6, "TCP6:[\(shop.server.address6)]"),
            ] {
                let wrapped = source.contains(":") ? "[\(source)]" : source
                let result = try await shop.intruder.namespace.run(
                    ["timeout", "2", "socat", "-u", "OPEN:/dev/null", "\(target):80,bind=\(wrapped),connect-timeout=1"])
                #expect(result.status != 0)
            }
            // IPv4 already fails to ask for the server's link address under the stolen one.
            let spoofed = try await eventuallyFlows(shop) { $0.reasons = ["source-address", "arp-spoofed"] }
            #expect(Set(spoofed.map(\.endpoint)) == ["intruder"])
            #expect(Set(spoofed.map(\.source.address)).isSuperset(of: [shop.client.address4, shop.client.address6]))
        }
    }

    @Test func `a workload that appears, changes its labels or goes is followed within a second`() async throws {
        try await withTestBed(subnet: 20) { bed in
            let shop = try await Shop(bed)
            _ = try await shop.startAgent()
            try await shop.enforce(Shop.clientOnly)
            let late = try await shop.host.addWorkload("late", number: 9)
            func write(_ labels: [String: String]?) throws {
                try shop.agent.writeWorkloads(
                    [
                        (shop.server, "server", ["app": "server"]), (shop.client, "client", ["app": "client"]),
                        (shop.intruder, "intruder", ["app": "intruder"]),
                    ] + (labels.map { [(late, "late", $0)] } ?? []))
            }
            try write(["app": "client"])
            try await eventually("the new client is let in", within: .seconds(3)) {
                try await late.canConnect(to: shop.server.address4, port: 80)
            }
            try write(["app": "other"])
            try await eventually("with other labels it is not", within: .seconds(3)) {
                try await !late.canConnect(to: shop.server.address4, port: 80)
            }
            try write(nil)
            try await eventually("it is forgotten", within: .seconds(3)) {
                try await shop.control.endpoints().allSatisfy { $0.name != "late" }
            }
            let programs = try await shop.host.namespace.run(["bpftool", "net", "show", "dev", late.hostInterface])
            #expect(!programs.output.contains("tc_from_endpoint"))
        }
    }
}

/// The flows that match, once there are any.
func eventuallyFlows(_ shop: Shop, _ change: (inout FlowQuery) -> Void) async throws -> [FlowRecord] {
    try await eventuallySome("flows that match", within: .seconds(5)) {
        let found = try await shop.flows(change)
        return found.isEmpty ? nil : found
    }
}

extension String {
    func replacing(_ old: String, with new: String) -> String {
        var result = ""
        var rest = self[...]
        while let range = rest.firstRange(of: old) {
            result += rest[..<range.lowerBound] + new
            rest = rest[range.upperBound...]
        }
        return result + rest
    }
}
