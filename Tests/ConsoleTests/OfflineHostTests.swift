// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import IdentityModel
import PolicyModel
import Testing

@testable import Console

/// Hosts that nobody knows but by the selectors of policies.
@Suite struct OfflineHostTests {
    private static func nodes(_ selector: String = "matchLabels: {role: edge}") -> String {
        """
        apiVersion: cilium.io/v2
        kind: CiliumClusterwideNetworkPolicy
        metadata: {name: nodes}
        spec:
          nodeSelector: {\(selector)}
          ingress: [{toPorts: [{ports: [{port: "443", protocol: TCP}]}]}]

        """
    }

    private static func global(_ stages: String, _ selector: String = "role == 'edge'", rule: String) -> String {
        """
        apiVersion: projectcalico.org/v3
        kind: GlobalNetworkPolicy
        metadata: {name: g}
        spec: {selector: "\(selector)", \(stages)ingress: [\(rule)]}

        """
    }

    private static let noTelnet = "{action: Deny, protocol: TCP, destination: {ports: [23]}}"
    private static let https = "{action: Allow, protocol: TCP, destination: {ports: [443]}}"

    private func policies(_ text: String) throws -> [Policy] {
        guard !text.isEmpty else { return [] }
        return try PolicyFiles([PolicyDocument(name: "p.yaml", text: Array(text.utf8))]).check().policies
    }

    private func diff(_ old: String, _ new: String) throws -> DiffReport {
        let states = [try policies(old), try policies(new)]
        var compilation = try OfflineCompilation(for: states, workloads: [])
        return try compilation.diff(from: states[0], to: states[1])
    }

    /// Words, and that they and the exit status say so both ways.
    private func words(_ text: String) throws -> [String] {
        let (coming, going) = (try diff("", text), try diff(text, ""))
        #expect(coming.saysChange && going.saysChange && !coming.lines.isEmpty)
        #expect(going.plan?.total == coming.plan?.total)
        let same = try diff(text, text)
        #expect(!same.saysChange && same.plan?.total == 0 && same.lines.isEmpty)
        return PlanRendering.changes(try #require(coming.plan))
    }

    private func names(_ text: String) throws -> [String] { ImaginedHosts.all(for: [try policies(text)]).map(\.name) }

    private func labels(_ text: String) throws -> [String] {
        ImaginedWorkloads.labels(for: try policies(text)).map(\.description)
    }

    @Test func `a policy of Cilium for nodes with a label is told by a host that has it`() throws {
        #expect(
            try words(Self.nodes()) == [
                "world -> host k8s:role=edge everything but tcp/443: allow becomes deny because no ingress rule of "
                    + "CiliumClusterwideNetworkPolicy/nodes allows it"
            ])
        #expect(try diff("", Self.nodes()).legend == ["subject 1 is k8s:role=edge,reserved:host"])
        #expect(try labels(Self.nodes()).isEmpty, "nodes are no workloads")
    }

    @Test func `a host without labels is imagined where that is enough to be selected`() throws {
        let open = "matchExpressions: [{key: role, operator: NotIn, values: [edge]}]"
        for selector in ["", open] {
            #expect(
                try words(Self.nodes(selector)) == [
                    "world -> host everything but tcp/443: allow becomes deny because no ingress rule of "
                        + "CiliumClusterwideNetworkPolicy/nodes allows it"
                ])
        }
        #expect(
            try names(Self.nodes("") + "---\n" + Self.nodes().replacing("name: nodes", with: "name: more")) == [
                "host k8s:role=edge", "host",
            ])
    }

    @Test func `a policy without flows for hosts with a label is told by such a host and what passes through it`()
        throws
    {
        let text = Self.global("applyOnForward: true, doNotTrack: true, ", rule: Self.noTelnet)
        let how = "tcp/23: allow becomes deny by GlobalNetworkPolicy/g ingress[0] at p.yaml:4:"
        let told = try words(text)
        try #require(told.count == 2)
        #expect(told[0].hasPrefix("world -> host k8s:role=edge \(how)"), "\(told[0])")
        #expect(
            told[1].hasPrefix("what passes through the host (host k8s:role=edge), coming from world, \(how)"),
            "\(told[1])")
        #expect(try labels(text).isEmpty, "it is for hosts alone")
    }

    @Test func `a policy ahead of translation for hosts with a label is told likewise`() throws {
        let text = Self.global("applyOnForward: true, preDNAT: true, ", rule: Self.noTelnet)
        let told = try words(text)
        #expect(
            told.map { $0.contains("host k8s:role=edge") && $0.contains("tcp/23: allow becomes deny") } == [true, true])
        #expect(try labels(text).isEmpty)
    }

    @Test func `a policy on forward for whom a label selects is told of workloads, hosts and what passes through`()
        throws
    {
        let told = try words(Self.global("applyOnForward: true, ", rule: Self.https))
        let why =
            "everything but tcp/443: allow becomes deny because no ingress rule of GlobalNetworkPolicy/g allows it"
        let workload = "k8s:io.kubernetes.pod.namespace=default,k8s:role=edge"
        #expect(
            told == [
                "\(workload) -> host k8s:role=edge \(why)", "world -> \(workload) \(why)",
                "world -> host k8s:role=edge \(why)",
                "what passes through the host (host k8s:role=edge), coming from world, \(why)",
            ])
    }

    @Test func `no workload of a namespace without a name is imagined`() throws {
        for selector in ["role == 'edge'", "all()", "has(role)", "projectcalico.org/namespace != 'default'"] {
            let sets = ImaginedWorkloads.labels(
                for: try policies(Self.global("applyOnForward: true, ", selector, rule: Self.https)))
            #expect(sets.count == 1 && sets.allSatisfy { !($0.namespace ?? "").isEmpty }, "\(selector): \(sets)")
        }
    }

    @Test func `rules whose other end is a host are told by such a host`() throws {
        let text = """
            apiVersion: projectcalico.org/v3
            kind: GlobalNetworkPolicy
            metadata: {name: g}
            spec:
              namespaceSelector: projectcalico.org/name == 'shop'
              types: [Egress]
              egress:
                - {action: Deny, destination: {selector: role == 'core', namespaceSelector: global()}}
                - {action: Allow}

            """
        let told = try words(text)
        try #require(told.count == 1)
        #expect(
            told[0].hasPrefix(
                "k8s:io.kubernetes.pod.namespace=shop -> host k8s:role=core everything: allow becomes deny by "
                    + "GlobalNetworkPolicy/g egress[0] at p.yaml:8:"))
        // What has the labels may be a set in the files.
        let set = """
            ---
            apiVersion: projectcalico.org/v3
            kind: GlobalNetworkSet
            metadata: {name: s, labels: {role: core}}
            spec: {nets: [192.0.2.0/24]}

            """
        #expect(try names(text + set).isEmpty)
    }

    @Test func `hosts that documents name stand for the selectors that fit them, and for no other`() throws {
        let named = """
            ---
            apiVersion: projectcalico.org/v3
            kind: HostEndpoint
            metadata: {name: n1, labels: {role: core}}
            spec: {node: n1, interfaceName: "*"}

            """
        #expect(try names(Self.nodes("matchLabels: {role: core}") + named) == ["host"])
        #expect(try names(Self.nodes() + named) == ["host n1", "host k8s:role=edge"])
    }

    @Test func `hosts are judged with the other imagined hosts too`() throws {
        let core = Self.nodes("matchLabels: {role: core}").replacing("name: nodes", with: "name: core")
        let told = try words(Self.nodes() + "---\n" + core)
        let starts =
            ["world -> host k8s:role=core", "world -> host k8s:role=edge"]
            + ["host k8s:role=core -> host k8s:role=edge", "host k8s:role=edge -> host k8s:role=core"]
        #expect(told.count == 4 && starts.allSatisfy { start in told.contains { $0.hasPrefix(start) } }, "\(told)")
    }

    @Test func `a service is one of a host, and the host is another`() throws {
        let text = Self.nodes("matchLabels: {role: edge, \"process:unit\": web.service}")
        #expect(try names(text) == ["host k8s:role=edge,process:unit=web.service", "host k8s:role=edge"])
        let told = try words(text)
        try #require(told.count == 2)
        #expect(
            told.allSatisfy { $0.contains("-> host k8s:role=edge,process:unit=web.service everything but tcp/443") })
    }

    @Test func `a review against workloads imagines nobody to fit`() throws {
        let workload = try ImaginationOptions.labels("app=web")
        let document = PolicyDocument(name: "p.yaml", text: Array(Self.nodes().utf8))
        let report = try OfflineLint([.success(document)], workloads: [workload], now: 0).report()
        #expect(report.findings.map(\.diagnostic.message).contains { $0.contains("matches no host endpoint") })
    }
}
