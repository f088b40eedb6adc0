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
        var compilation = try OfflineCompilation(for: sides[0] + sides[1], workloads: [])
        return try compilation.diff(from: sides[0], to: sides[1])
    }

    @Test func `a file is compiled for the workloads that its selectors name`() throws {
        let policies = files(Self.policy()).policies
        var compilation = try OfflineCompilation(for: policies, workloads: [])
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
        var compilation = try OfflineCompilation(for: policies, workloads: [stranger])
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
