// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import IdentityModel
import PolicyModel
import Testing

@testable import Console

/// A difference between two files that leaves with 0 is none.
@Suite struct OfflineDifferenceTests {
    private static func fromNodes(_ port: Int, _ nodes: String = "role: edge") -> String {
        """
        apiVersion: cilium.io/v2
        kind: CiliumNetworkPolicy
        metadata: {name: db, namespace: shop}
        spec:
          endpointSelector: {matchLabels: {app: db}}
          ingress:
            - fromNodes: [{matchLabels: {\(nodes)}}]
              toPorts: [{ports: [{port: "\(port)", protocol: TCP}]}]

        """
    }

    private static func toNodes(_ port: Int) -> String {
        """
        apiVersion: policy.networking.k8s.io/v1alpha2
        kind: ClusterNetworkPolicy
        metadata: {name: out}
        spec:
          tier: Admin
          priority: 1
          subject: {namespaces: {}}
          egress:
            - name: kubelet
              action: Deny
              to: [{nodes: {matchLabels: {role: edge}}}]
              protocols: [{tcp: {destinationPort: {number: \(port)}}}]

        """
    }

    private static func calico(_ kind: String, _ head: String, _ rules: (source: String, port: Int)...) -> String {
        let lines = rules.map { rule in
            "    - {action: Allow, protocol: TCP, source: {selector: \"\(rule.source)\", namespaceSelector: global()}, "
                + "destination: {ports: [\(rule.port)]}}\n"
        }
        return """
            apiVersion: projectcalico.org/v3
            kind: \(kind)
            metadata: {name: p\(kind == "NetworkPolicy" ? ", namespace: shop" : "")}
            spec:
              selector: "\(head)"
              types: [Ingress]
              ingress:

            """ + lines.joined()
    }

    private func policies(_ text: String) throws -> [Policy] {
        guard !text.isEmpty else { return [] }
        return try PolicyFiles([PolicyDocument(name: "p.yaml", text: Array(text.utf8))]).check().policies
    }

    private func diff(_ old: String, _ new: String, workloads: [LabelSet] = []) throws -> DiffReport {
        let states = [try policies(old), try policies(new)]
        var compilation = try OfflineCompilation(for: states, workloads: workloads)
        return try compilation.diff(from: states[0], to: states[1])
    }

    private func compile(_ text: String) throws -> CompileReport {
        let state = try policies(text)
        var compilation = try OfflineCompilation(for: [state], workloads: [])
        return try compilation.compile(state)
    }

    private func words(_ report: DiffReport) throws -> [String] {
        PlanRendering.changes(try #require(report.plan))
    }

    @Test func `nodes that no document describes are imagined`() throws {
        let report = try diff(Self.fromNodes(10250), Self.fromNodes(10251))
        let told = try words(report)
        try #require(told.count == 2)
        let pair = "node k8s:role=edge -> k8s:app=db,k8s:io.kubernetes.pod.namespace=shop"
        #expect(told[0].hasPrefix("\(pair) tcp/10250: allow becomes deny"))
        #expect(told[1].hasPrefix("\(pair) tcp/10251: deny becomes allow"))
        #expect(report.lines.count == 2 && report.saysChange && report.untold == nil && report.unimagined == nil)
        let state = try compile(Self.fromNodes(10250))
        #expect(state.lines.contains { $0.contains("tcp/10250 -> allow CiliumNetworkPolicy/shop/db ingress[0]") })
        #expect(state.legend.contains("identity 16777216 is node:io.kubernetes.node.name,node:role=edge"))
        let admin = try diff(Self.toNodes(10250), Self.toNodes(10251))
        #expect(admin.saysChange && admin.untold == nil)
        #expect(try words(admin).contains { $0.contains("-> node k8s:role=edge tcp/10251: allow becomes deny") })
    }

    @Test func `a node that a document describes stands for the selectors that fit it`() throws {
        let node = """
            ---
            apiVersion: v1
            kind: Node
            metadata: {name: n1, labels: {role: edge}}
            status: {addresses: [{type: InternalIP, address: 192.0.2.7}]}

            """
        #expect(ImaginedNodes.all(for: [try policies(Self.fromNodes(80) + node)]).isEmpty)
        #expect(
            ImaginedNodes.all(for: [try policies(Self.fromNodes(80, "role: core") + node)]).map(\.reference.name)
                == ["node k8s:role=core"])
        let legend = try compile(Self.fromNodes(80) + node).legend
        #expect(legend.contains("identity 16777216 is node:io.kubernetes.node.name=n1,node:role=edge"))
    }

    @Test func `an imagined node is at no address that a rule names`() throws {
        let taken = Self.fromNodes(80).replacing("name: db", with: "name: other")
            .replacing("fromNodes: [{matchLabels: {role: edge}}]", with: "fromCIDR: [240.0.0.0/24]")
        let nodes = ImaginedNodes.all(for: [try policies(Self.fromNodes(80) + "---\n" + taken)])
        let address = nodes.first?.prefixGroup?.prefixes.first.map { "\($0)" }
        #expect(nodes.count == 1 && address == "240.0.1.0/32")
    }

    @Test func `what hosts say to each other is told`() throws {
        let states = [80, 81].map { Self.calico("GlobalNetworkPolicy", "role == 'a'", ("role == 'b'", $0)) }
        let report = try diff(states[0], states[1])
        let told = try words(report)
        let pair = "host k8s:role=b -> host k8s:role=a"
        #expect(told.contains { $0.hasPrefix("\(pair) tcp/80: allow becomes deny") }, "\(told)")
        #expect(told.contains { $0.hasPrefix("\(pair) tcp/81: deny becomes allow") }, "\(told)")
        #expect(report.saysChange)
    }

    @Test func `hosts with other labels keep rules of their own`() throws {
        let rules = [80, 79].map {
            Self.calico("NetworkPolicy", "app == 'db'", ("role == 'a'", $0), ("role == 'b'", 81))
        }
        let lines = try compile(rules[0]).lines.filter { $0.contains("tcp/") }
        #expect(lines.count == 2 && lines[0].contains("tcp/80") && lines[1].contains("tcp/81"), "\(lines)")
        let report = try diff(rules[0], rules[1])
        #expect(report.saysChange && report.lines.map { $0.prefix(1) } == ["-", "+"], "\(report.lines)")
        let other = ["a", "b"].map { Self.calico("NetworkPolicy", "app == 'db'", ("role == '\($0)'", 80)) }
        let moved = try diff(other[0], other[1])
        #expect(moved.lines.filter { $0.contains("tcp/80") }.map { $0.prefix(1) } == ["-", "+"], "\(moved.lines)")
        #expect(moved.legend.filter { $0.hasSuffix(",reserved:host") }.count == 2, "\(moved.legend)")
    }

    @Test func `policies that say something else are never the same, whoever is looked at`() throws {
        let (old, new) = (Self.fromNodes(80), Self.fromNodes(81))
        let nobody = try ImaginationOptions.labels("app=nobody")
        let report = try diff(old, new, workloads: [nobody])
        #expect(report.lines.isEmpty && report.plan?.total == 0)
        #expect(report.untold == ["CiliumNetworkPolicy/shop/db"] && report.saysChange)
        #expect(
            PolicyRendering.lines(report).last
                == "these policies differ, but nobody imagined here is concerned: CiliumNetworkPolicy/shop/db")
        let moved = try diff(old, "\n\n" + old, workloads: [nobody])
        #expect(!moved.saysChange && moved.untold == nil, "the same at another place")
        #expect(PolicyRendering.lines(moved).last == "no difference")
    }

    @Test func `selectors that nobody meets are named`() throws {
        let impossible = Self.fromNodes(80).replacing(
            "endpointSelector: {matchLabels: {app: db}}",
            with: "endpointSelector: {matchExpressions: [{key: app, operator: In, values: [db]}, "
                + "{key: app, operator: NotIn, values: [db]}]}")
        let report = try compile(impossible)
        let named = try #require(report.unimagined)
        #expect(named.count == 1 && named[0].hasSuffix("(CiliumNetworkPolicy/shop/db)"), "\(named)")
        #expect(PolicyRendering.lines(report).contains { $0.hasPrefix("nobody could be imagined for `") })
        #expect(try compile(Self.fromNodes(80)).unimagined == nil)
    }

    @Test func `a label of a given workload with a space is refused`() {
        for text in ["bad label=", "app=web, tier=front"] {
            #expect(throws: ConsoleFailure.self) { try ImaginationOptions.labels(text) }
        }
    }
}
