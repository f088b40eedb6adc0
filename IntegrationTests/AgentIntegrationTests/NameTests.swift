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
            #expect(try await field.resolveAndConnectTogether(0..<5000) == .init(connected: 10_000, refused: 0))
            await process.kill()
            #expect(try await field.resolveAndConnectTogether(5000..<10_000) == .init(connected: 10_000, refused: 0))
            #expect(
                try await field.resolveAndConnect(10_000..<10_150, resolver: field.outside.address6)
                    == .init(connected: 300, refused: 0))
            #expect(try await field.resolveAndConnect(3..<5, "n%d.nope.test") == .init(connected: 0, refused: 2))
            _ = try await field.startAgent()
            // What was learnt before and while nobody was there still holds.
            #expect(try await field.client.canConnect(to: "198.18.0.1", port: 443))
            #expect(try await field.client.canConnect(to: "198.18.4.1", port: 443))
            #expect(
                try await field.resolveAndConnect(10_150..<10_300, options: "use-vc")
                    == .init(connected: 300, refused: 0))
            #expect(try await !field.client.canConnect(to: "198.19.1.1", port: 443))
        }
    }

    @Test func `explain, observe, the list and status tell of names what the kernel does with them`() async throws {
        try await withTestBed(subnet: 70) { bed in
            let field = try await NameField(bed)
            _ = try await field.startAgent()
            try await field.enforce(field.policy("*.other.test"))
            func explain(_ name: String) async throws -> ExplainReport {
                try await field.control.explain(ExplainRequest(from: "client", to: name, port: 443, protocol: nil))
            }
            // Before anybody asked: the rules alone decide.
            #expect(try await explain("late.other.test").to.address == nil)
            #expect(try await explain("late.other.test").verdict == "allow")
            #expect(try await field.resolveAndConnect(0..<1, "late.other.test%.0s") == .init(connected: 1, refused: 0))
            #expect(try await field.resolveAndConnect(0..<1, "n0.nope.test%.0s") == .init(connected: 0, refused: 1))
            let known = try await explain("late.other.test")
            #expect(known.verdict == "allow" && known.to.address == "198.19.255.2")
            #expect(known.steps.first?.cause == "CiliumNetworkPolicy/shop/names egress[1]")
            let denied = try await explain("n0.nope.test")
            #expect(denied.verdict == "deny" && denied.to.address == "198.19.1.1")
            let flows = try await field.agent.tool("observe", "--to-fqdn", "*.OTHER.test", "--port", "443").checked()
                .output
            let lines = flows.split(separator: "\n")
            #expect(
                !lines.isEmpty && lines.allSatisfy { $0.contains("198.19.255.2:443 (late.other.test)") }, "\(flows)")
            let cut = try await field.agent.tool("observe", "--verdict", "deny", "-o", "json").checked().output
            #expect(cut.contains("\"names\":[\"n0.nope.test\"]"), "\(cut)")
            let list = try await field.control.learntNames(NameQuery(endpoint: "client", name: "*.test"))
            #expect(list.names.map(\.name).sorted() == ["late.other.test", "n0.nope.test"])
            #expect(list.names.map(\.rules.count).sorted() == [0, 1])
            let names = try #require(try await field.control.status().names)
            #expect(names.answers >= 2 && names.learnt >= 1 && names.malformed == 0, "\(names)")
            #expect(names.resolvers.count == 2 && names.selectors == 1)
        }
    }

    @Test func `names of a set open to whom a rule selects it for, at once, and go with its label`() async throws {
        try await withTestBed(subnet: 70) { bed in
            let field = try await NameField(bed)
            _ = try await field.startAgent()
            func documents(role: String, _ names: String) -> String {
                """
                apiVersion: projectcalico.org/v3
                kind: GlobalNetworkPolicy
                metadata: {name: out}
                spec:
                  selector: app == 'client'
                  types: [Egress]
                  egress:
                    - {action: Allow, protocol: UDP, destination: {ports: [53]}}
                    - {action: Allow, protocol: TCP, destination: {selector: role == 'partner', ports: [443]}}
                ---
                apiVersion: projectcalico.org/v3
                kind: GlobalNetworkSet
                metadata: {name: s, labels: {role: \(role)}}
                spec: {nets: [198.19.1.1/32], allowedEgressDomains: [\(names)]}

                """
            }
            try await field.enforce(documents(role: "partner", "'*.deep.test'"))
            #expect(try await field.resolveAndConnect(0..<50) == .init(connected: 100, refused: 0))
            // The prefix of the set beside its names, and nothing else.
            #expect(try await field.resolveAndConnect(0..<2, "n%d.nope.test") == .init(connected: 1, refused: 1))
            let list = try await field.control.learntNames(NameQuery(endpoint: "client", name: "n7.deep.test"))
            #expect(
                list.names.map(\.rules) == [
                    ["GlobalNetworkPolicy/out egress[1]"], ["GlobalNetworkPolicy/out egress[1]"],
                ])
            try await field.enforce(documents(role: "other", "'*.deep.test'"))
            #expect(try await !field.client.canConnect(to: "198.18.0.1", port: 443))
            // What was answered counts for a name that comes later.
            try await field.enforce(documents(role: "partner", "n1.nope.test"))
            #expect(try await field.client.canConnect(to: "198.19.1.2", port: 443))
            #expect(try await !field.client.canConnect(to: "198.18.0.1", port: 443))
        }
    }

    @Test func `a deny by name holds at once, whatever else is open, and a plan tells of it beforehand`() async throws {
        try await withTestBed(subnet: 70) { bed in
            let field = try await NameField(bed)
            _ = try await field.startAgent()
            let deny = """
                apiVersion: cilium.io/v2
                kind: CiliumNetworkPolicy
                metadata: {name: deny, namespace: shop}
                spec:
                  endpointSelector: {matchLabels: {app: client}}
                  enableDefaultDeny: {egress: false}
                  egressDeny: [{toFQDNs: [{matchName: late.other.test}]}]

                """
            let plan = try await field.agent.tool("policy", "apply", "--plan", "-f", "-", input: deny).checked().output
            #expect(plan.contains("shop/client -> late.other.test everything: allow becomes deny"), "\(plan)")
            try await field.enforce(deny)
            #expect(try await field.resolveAndConnect(0..<1, "late.other.test%.0s") == .init(connected: 0, refused: 1))
            #expect(try await field.resolveAndConnect(0..<2, "n%d.nope.test") == .init(connected: 2, refused: 0))
        }
    }

    @Test func `without resolvers the agent says that rules by name do nothing`() async throws {
        try await withTestBed(subnet: 70) { bed in
            let field = try await NameField(bed, resolvers: "")
            _ = try await field.startAgent()
            try await field.enforce(field.policy("*.other.test"))
            #expect(try await field.resolveAndConnect(0..<1, "late.other.test%.0s") == .init(connected: 0, refused: 1))
            let status = try await field.agent.tool("status")
            #expect(status.status == 1 && status.output.contains("BH2122"), "\(status.output)")
            let list = try await field.agent.tool("fqdn", "list").checked().output
            #expect(list.contains("`dns.resolvers` of the agent's configuration is empty"))
        }
    }

    @Test func `agents come and go and policies change while names are resolved, and nobody is refused`() async throws {
        try await withTestBed(subnet: 70) { bed in
            let field = try await NameField(bed)
            var process = try await field.startAgent()
            try await field.enforce(field.policy("**.deep.test"))
            let running = Task { try await field.resolveAndConnect(0..<3000) }
            for round in 0..<3 {
                await process.kill()
                process = try await field.startAgent()
                // Names get numbers and lose them, and so do those that are in use get neighbours.
                try await field.enforce(field.policy("**.deep.test", "r\(round).other.test"))
            }
            #expect(try await running.value == .init(connected: 6000, refused: 0))
        }
    }

    @Test func `search lists and names that do not exist work as without a policy`() async throws {
        try await withTestBed(subnet: 70) { bed in
            let field = try await NameField(bed)
            _ = try await field.startAgent()
            try await field.enforce(field.policy("*.other.test"))
            let search = "ndots:1\nsearch nope.test other.test"
            #expect(
                try await field.resolveAndConnect(0..<1, "late%.0s", options: search) == .init(connected: 1, refused: 0)
            )
            // Nobody answers REFUSED in the resolver's place: what does not exist is said not to.
            #expect(
                try await field.resolveAndConnect(0..<1, "nobody%.0s", options: search)
                    == .init(connected: 0, refused: 1))
        }
    }

    @Test func `an answer over TCP that segments cut opens all of its addresses, agent alive or dead`() async throws {
        try await withTestBed(subnet: 70) { bed in
            let field = try await NameField(bed)
            // The resolver's segments are small, and travel one by one.
            try await field.outside.namespace.shell("ip link set dev eth0 gso_max_segs 1")
            try await field.client.namespace.shell("ip route replace 10.\(bed.byte).0.0/16 dev eth0 advmss 400")
            let process = try await field.startAgent()
            try await field.enforce(field.policy("many.deep.test"))
            let all = NameField.Tally(connected: 120, refused: 0)
            #expect(try await field.resolveAndConnect(0..<1, "many.deep.test%.0s", options: "use-vc") == all)
            // Too long for a datagram: asked again over TCP.
            #expect(try await field.resolveAndConnect(1..<2, "many.deep.test%.0s") == all)
            await process.kill()
            #expect(try await field.resolveAndConnect(2..<3, "many.deep.test%.0s", options: "use-vc") == all)
            #expect(try field.keptStreams() >= 3, "the answers were cut")
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
