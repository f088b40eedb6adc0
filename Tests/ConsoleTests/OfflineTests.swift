// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import IdentityModel
import PolicyModel
import Testing

@testable import Console

@Suite struct OfflineTests {
    private static func policy(_ name: String = "db", port: Int = 6379, peer: String = "web") -> String {
        """
        apiVersion: cilium.io/v2
        kind: CiliumNetworkPolicy
        metadata: {name: \(name), namespace: shop}
        spec:
          endpointSelector: {matchLabels: {app: db}}
          ingress:
            - fromEndpoints: [{matchLabels: {app: \(peer)}}]
              toPorts: [{ports: [{port: "\(port)", protocol: TCP}]}]

        """
    }

    private static func cidr(_ prefix: String) -> String {
        """
        apiVersion: cilium.io/v2
        kind: CiliumNetworkPolicy
        metadata: {name: out, namespace: shop}
        spec:
          endpointSelector: {matchLabels: {app: db}}
          egress: [{toCIDR: [\(prefix)]}]

        """
    }

    private func files(_ texts: String...) -> PolicyFiles {
        PolicyFiles(texts.enumerated().map { PolicyDocument(name: "\($0).yaml", text: Array($1.utf8)) })
    }

    private func diff(_ old: String, _ new: String) throws -> DiffReport {
        let sides = [files(old).policies, files(new).policies]
        var compilation = try OfflineCompilation(for: sides, workloads: [])
        return try compilation.diff(from: sides[0], to: sides[1])
    }

    @Test func `a file is compiled for the workloads that its selectors name`() throws {
        let policies = files(Self.policy()).policies
        var compilation = try OfflineCompilation(for: [policies], workloads: [])
        let report = try compilation.compile(policies)
        #expect(
            report.legend == [
                "subject 1 is k8s:app=db,k8s:io.kubernetes.pod.namespace=shop",
                "identity 257 is k8s:app=web,k8s:io.kubernetes.pod.namespace=shop",
            ])
        #expect(
            report.lines == [
                "subject 1 ingress default deny by CiliumNetworkPolicy/shop/db",
                "subject 1 ingress host all -> allow host access",
                "subject 1 ingress 257 tcp/6379 -> allow CiliumNetworkPolicy/shop/db ingress[0]",
            ])
    }

    @Test func `workloads that are given take the place of imagined ones`() throws {
        let policies = files(Self.policy()).policies
        let stranger = try ImaginationOptions.labels("app=web,k8s:io.kubernetes.pod.namespace=shop")
        var compilation = try OfflineCompilation(for: [policies], workloads: [stranger])
        #expect(try compilation.compile(policies).lines == [], "nobody is selected")
        #expect(throws: ConsoleFailure.self) { try ImaginationOptions.labels("=x") }
        #expect(try ImaginationOptions.labels("a=b").namespace == "default")
    }

    @Test func `two files are compared with the numbers meaning the same on both sides`() throws {
        #expect(try diff(Self.policy(), Self.policy()).lines == [])
        #expect(
            try diff(Self.policy(), Self.policy(port: 80)).lines == [
                "- subject 1 ingress 257 tcp/6379 -> allow CiliumNetworkPolicy/shop/db ingress[0]",
                "+ subject 1 ingress 257 tcp/80 -> allow CiliumNetworkPolicy/shop/db ingress[0]",
            ])
        let plan = try #require(try diff(Self.policy(), Self.policy(port: 80)).plan)
        let (web, db) = (
            "k8s:app=web,k8s:io.kubernetes.pod.namespace=shop", "k8s:app=db,k8s:io.kubernetes.pod.namespace=shop"
        )
        #expect(
            PlanRendering.changes(plan) == [
                "\(web) -> \(db) tcp/80: deny becomes allow by CiliumNetworkPolicy/shop/db ingress[0] at 0.yaml:7:7",
                "\(web) -> \(db) tcp/6379: allow becomes deny because no ingress rule of "
                    + "CiliumNetworkPolicy/shop/db allows it",
            ])
        let moved = try diff(Self.cidr("192.0.2.0/24"), Self.cidr("198.51.100.0/24"))
        #expect(moved.lines.contains("- subject 1 egress 16777216 all -> allow CiliumNetworkPolicy/shop/out egress[0]"))
        #expect(moved.lines.contains("+ subject 1 egress 16777217 all -> allow CiliumNetworkPolicy/shop/out egress[0]"))
        #expect(moved.legend.contains { $0.hasSuffix("at 192.0.2.0/24") })
        #expect(moved.legend.contains { $0.hasSuffix("at 198.51.100.0/24") })
    }

    private static let edge = """
        apiVersion: projectcalico.org/v3
        kind: GlobalNetworkPolicy
        metadata: {name: g}
        spec:
          selector: role == 'edge'
          applyOnForward: true
          ingress: [{action: Allow, protocol: TCP, destination: {ports: [443]}}]

        """

    private static func profile(_ role: String) -> String {
        """
        ---
        apiVersion: projectcalico.org/v3
        kind: Profile
        metadata: {name: kns.lab}
        spec: {labelsToApply: {role: \(role)}, ingress: [{action: Allow}], egress: [{action: Allow}]}

        """
    }

    private static func hostEndpoint(_ role: String, node: String = "n1", port: Int = 8443) -> String {
        """
        ---
        apiVersion: projectcalico.org/v3
        kind: HostEndpoint
        metadata: {name: \(node), labels: {role: \(role)}}
        spec:
          node: \(node)
          interfaceName: "*"
          profiles: [projectcalico-default-allow]
          ports: [{name: admin, protocol: TCP, port: \(port)}]

        """
    }

    private func changes(_ old: String, _ new: String, to name: String) throws -> [String] {
        let plan = try #require(try diff(old, new).plan)
        return plan.changes.filter { $0.from == "world" && $0.to == name }.map {
            "\($0.traffic): \($0.before) becomes \($0.after)"
        }
    }

    @Test func `workloads are judged with the labels that profiles in the files give them`() throws {
        let lab = "k8s:io.kubernetes.pod.namespace=lab"
        let (open, closed) = (Self.edge + Self.profile("other"), Self.edge + Self.profile("edge"))
        #expect(try changes(open, closed, to: lab) == ["everything but tcp/443: allow becomes deny"])
        #expect(try changes(closed, open, to: lab) == ["everything but tcp/443: deny becomes allow"])
        #expect(try changes(Self.edge, closed, to: lab) == ["everything but tcp/443: allow becomes deny"])
        #expect(try changes(closed, closed, to: lab).isEmpty && diff(closed, closed).lines.isEmpty)
        let report = try diff(open, closed)
        #expect(
            report.legend == ["subject 2 is \(lab),k8s:role=other", "subject 5 is \(lab),k8s:role=edge"])
        #expect(report.lines.contains("+ subject 5 ingress any tcp/443 -> allow GlobalNetworkPolicy/g ingress[0]"))
        #expect(report.lines.contains("- subject 2 tier 3 ingress any all -> allow Profile/kns.lab ingress[0]"))
        // A compilation and a review give them the same.
        let policies = files(closed).policies
        var compilation = try OfflineCompilation(for: [policies], workloads: [])
        #expect(try compilation.compile(policies).legend.contains { $0.hasSuffix(" is \(lab),k8s:role=edge") })
        let workload = try ImaginationOptions.labels(lab)
        let document = PolicyDocument(name: "p.yaml", text: Array(closed.utf8))
        let found = try OfflineLint([.success(document)], workloads: [workload], now: 0).report().findings
        #expect(!found.contains { $0.policy == "GlobalNetworkPolicy/g" && $0.diagnostic.code == "BH2101" })
    }

    @Test func `the host is judged with the labels and ports that documents give it, and what passes through it too`()
        throws
    {
        let (core, edge) = (Self.edge + Self.hostEndpoint("core"), Self.edge + Self.hostEndpoint("edge"))
        let closed = ["everything but tcp/443: allow becomes deny"]
        #expect(try changes(core, edge, to: "host") == closed)
        #expect(try changes(core, edge, to: "what passes through the host") == closed)
        #expect(try diff(edge, edge).plan?.total == 0)
        let named = Self.edge.replacing("[443]", with: "[admin]").replacing("  applyOnForward: true\n", with: "")
        #expect(
            try changes(named + Self.hostEndpoint("edge"), named + Self.hostEndpoint("edge", port: 80), to: "host") == [
                "tcp/80: deny becomes allow", "tcp/8443: allow becomes deny",
            ])
        // Each host that documents name is one by itself.
        let other = Self.hostEndpoint("edge", node: "n2")
        #expect(try changes(core + other, edge + other, to: "host n1") == closed)
        #expect(try changes(core + other, edge + other, to: "host n2").isEmpty)
    }

    @Test func `files are checked together`() {
        #expect(!files(Self.policy(), Self.policy("other")).hasErrors)
        let twice = files(Self.policy(), Self.policy())
        #expect(twice.hasErrors && !twice.report.isValid)
        #expect(twice.report.diagnostics.map(\.text).contains { $0.hasPrefix("1.yaml:1:1: error[BH1203]: ") })
        #expect(throws: APIError.self) { try twice.check() }
    }

    @Test func `a file that cannot be read is a finding beside those of the others`() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let huge = folder.appending(path: "huge.yaml").path
        #expect(FileManager.default.createFile(atPath: huge, contents: nil))
        try #require(unsafe truncate(huge, 100 << 20) == 0)
        let broken = folder.appending(path: "broken.yaml")
        try Self.policy().replacing("app: web", with: "app: [").write(to: broken, atomically: true, encoding: .utf8)
        let report = PolicyFiles(["/nonexistent/x.yaml", huge, broken.path].flatMap(readEachDocument)).report
        #expect(!report.isValid)
        #expect(report.diagnostics.map(\.code) == ["BH1001", "BH1002", "BH1003"])
        #expect(report.diagnostics.map(\.file) == ["/nonexistent/x.yaml", huge, broken.path])
        #expect(report.diagnostics[0].text.contains("No such file"), "\(report.diagnostics[0].text)")
        #expect(report.diagnostics[1].text.contains("split it into several files"))
        // The files of a directory, too.
        #expect(Set(PolicyFiles(readEachDocument(folder.path)).diagnostics.map(\.code)) == [.tooLarge, .syntax])
    }

    @Test func `a rule that another file makes unreachable is told where it stands`() {
        let deny = Self.policy("deny").replacing("ingress:", with: "ingressDeny:")
        let report = files(Self.policy(), deny).report
        #expect(report.isValid)
        #expect(
            report.diagnostics.filter { $0.code == "BH2109" }.map { "\($0.file):\($0.line) \($0.severity)" }
                == ["0.yaml:7 warning"])
        #expect(report.diagnostics.contains { $0.message.contains("ingressDeny[0] at 1.yaml:7:7") })
    }
}
