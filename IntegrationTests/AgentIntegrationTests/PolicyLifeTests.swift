// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

/// Policies in use: what a service stands for changes, and rules that nobody needs are found.
@Suite(.serialized) struct PolicyLifeTests {
    /// The client reaches what stands behind a service, and nothing else.
    private static let toService = Shop.client(
        reaching: "toServices: [{k8sService: {serviceName: web, namespace: shop}}]")

    private static func service(_ app: String) -> String {
        """
        apiVersion: v1
        kind: Service
        metadata: {name: web, namespace: shop}
        spec: {selector: {app: \(app)}, ports: [{port: 8080, targetPort: 80}]}

        """
    }

    @Test func `a rule by service follows what the service stands for`() async throws {
        try await withTestBed(subnet: 55) { bed in
            let shop = try await Shop(bed)
            _ = try await shop.startAgent()
            func reaches() async throws -> Bool {
                let probes = Probe.all([.tcp(80)], [shop.server.address4, shop.server.address6])
                let reached = try await shop.client.namespace.reach(probes)
                guard reached.isEmpty || reached == probes else { throw TestBedError("a mixture: \(reached)") }
                return !reached.isEmpty
            }
            func tool(_ arguments: String..., input: String? = nil) async throws -> String {
                try await shop.agent.tool(arguments, input: input).checked().output
            }
            _ = try await tool("policy", "apply", "-f", "-", input: Self.toService)
            #expect(try await !reaches(), "nobody has described the service")
            _ = try await tool("policy", "apply", "-f", "-", input: Self.service("server"))
            #expect(try await reaches())
            _ = try await tool("policy", "apply", "-f", "-", input: Self.service("intruder"))
            #expect(try await !reaches(), "the service is another's now")
            let back = try await tool("policy", "rollback", "2", "--plan")
            #expect(back.contains("shop/client -> shop/server tcp/80: deny becomes allow"), "\(back)")
            _ = try await tool("policy", "rollback", "2")
            #expect(try await reaches())
            let plan = try await tool("policy", "delete", "Service/shop/web", "--plan")
            for line in ["Service/shop/web would be removed", "shop/client -> shop/server tcp/80: allow becomes deny"] {
                #expect(plan.contains(line), "\(plan)")
            }
            #expect(try await reaches(), "a plan changes nothing")
            _ = try await tool("policy", "delete", "Service/shop/web")
            #expect(try await !reaches())
        }
    }

    @Test func `rules that no packet met are told by the kernel's counters`() async throws {
        try await withTestBed(subnet: 55) { bed in
            let shop = try await Shop(bed)
            _ = try await shop.startAgent()
            let policy = Shop.clientOnly + "    - ports: [{port: 81}]\n"
            _ = try await shop.agent.tool("policy", "apply", "-f", "-", input: policy).checked()
            func unused() async throws -> [String] {
                try await shop.control.unusedRules(since: 2).unused.map(\.rule)
            }
            // The first look begins the record; what is too young is not called unused.
            #expect(try await unused() == [])
            try await Task.sleep(for: .seconds(4))
            #expect(try await shop.client.canConnect(to: shop.server.address4, port: 80))
            #expect(try await unused() == ["ingress[1]"])
            let told = try await shop.agent.tool("policy", "unused", "--since", "2s")
            #expect(told.status == 1 && told.output.contains("ingress[1]"), "\(told.output)\(told.errors)")
            #expect(try await shop.intruder.canConnect(to: shop.server.address6, port: 81))
            #expect(try await !unused().contains("ingress[1]"))
        }
    }
}
