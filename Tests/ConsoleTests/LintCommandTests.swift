// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import FoundationEssentials
import PolicyModel
import PolicyReading
import Testing

@testable import Console

@Suite struct LintCommandTests {
    private func lint(_ text: String, now: Int64 = 0, workloads: [String] = []) throws -> LintReport {
        let document = PolicyDocument(name: "a.yaml", text: Array(text.utf8))
        return try OfflineLint([.success(document)], workloads: workloads.map(ImaginationOptions.labels), now: now)
            .report()
    }

    private static func policy(_ spec: String, annotations: String = "") -> String {
        """
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata:
          name: a
          annotations: {\(annotations)}
        spec:
          podSelector: {matchLabels: {app: a}}
        \(spec.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n"))

        """
    }

    private func codes(_ text: String) throws -> [String] { try lint(text).findings.map(\.diagnostic.code) }

    @Test func `empty sections and elements are told for what they are`() throws {
        #expect(try codes(Self.policy("egress: []")) == ["BH2015"])
        #expect(try codes(Self.policy("policyTypes: [Egress]\negress: []")) == [])
        #expect(try codes(Self.policy("policyTypes: [Ingress]\ningress: [{}]")) == ["BH2014"])
        #expect(try codes(Self.policy("policyTypes: [Ingress]\ningress: []")) == [])
        #expect(try codes(Self.policy("policyTypes: [Ingress]\ningress: [{from: []}]")) == ["BH2012"])
        #expect(try codes(Self.policy("egress: [{to: [{ipBlock: {cidr: 192.0.2.0/24}}]}]")) == ["BH2016"])
        #expect(try codes(Self.policy("policyTypes: [Egress]\negress: [{}]")) == ["BH2014"])
        #expect(try codes(Self.policy("ingress: [{from: [{namespaceSelector: {}, podSelector: {}}]}]")) == ["BH2017"])
        #expect(
            try codes(Self.policy("ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {b: c}}}]}]"))
                == [])
    }

    @Test func `what depends on workloads is said when there are some`() throws {
        let text = Self.policy("ingress: [{from: [{podSelector: {matchLabels: {app: b}}}]}]")
        #expect(try lint(text).workloads == nil && codes(text) == [])
        let report = try lint(text, workloads: ["app=c"])
        #expect(report.findings.map(\.diagnostic.code) == ["BH2101", "BH2102"] && report.workloads == 1)
        #expect(try lint(text, workloads: ["app=a", "app=b"]).findings == [])
    }

    @Test(arguments: [
        // Beside rules that cover everything, and where no workload is known.
        ("ingress: [{fromEntities: [all]}, {}]", ["BH2001"]),
        ("ingress: [{}]\ningressDeny: [{fromEntities: [all]}]", ["BH2001"]),
        ("ingressDeny: [{}, {fromEntities: [all]}]\nenableDefaultDeny: {ingress: false}", ["BH2001"]),
        ("ingress: [{fromEndpoints: []}, {fromEntities: [all]}]", ["BH2007"]),
        ("ingress: [{toPorts: [{}]}, {fromEntities: [all]}]", ["BH2007"]),
        (
            "ingress: [{fromEndpoints: [{matchExpressions: [{key: b, operator: Exists}, {key: b, operator: DoesNotExist}]}]}]",
            ["BH2108"]
        ),
        // Two causes: the subject is nowhere, and neither is one of its peers.
        ("ingress: [{fromEndpoints: [{matchLabels: {app: b}}]}]", ["BH2102"]),
    ])
    func `a rule that nothing can match has one finding, the one that says why`(spec: String, expected: [String]) throws
    {
        let text = """
            apiVersion: cilium.io/v2
            kind: CiliumNetworkPolicy
            metadata: {name: a, namespace: default}
            spec:
              endpointSelector: {matchLabels: {app: a}}
            \(spec.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n"))

            """
        let codes = try lint(text, workloads: ["app=a"]).findings.map(\.diagnostic.code)
        #expect(codes == expected)
        // A subject that contradicts itself is not looked for either.
        let nowhere = text.replacing(
            "{matchLabels: {app: a}}",
            with: "{matchExpressions: [{key: c, operator: Exists}, {key: c, operator: DoesNotExist}]}")
        let ofNowhere = try lint(nowhere, workloads: ["app=a"]).findings.map(\.diagnostic.code)
        #expect(!ofNowhere.contains("BH2101") && ofNowhere.contains("BH2108"))
    }

    @Test(arguments: [
        ("source: {nets: [192.0.2.0/24], notNets: [192.0.2.0/23]}", "7:31 BH2007"),
        ("source: {selector: has(a) && !has(a)}", "7:31 BH2007"),
        ("notProtocol: TCP", "7:23 BH2007"), ("source: {nets: [192.0.2.0/24], notNets: [192.0.2.0/25]}", ""),
    ])
    func `a rule of Calico that contradicts itself is told where it does`(end: String, expected: String) throws {
        let text = """
            apiVersion: projectcalico.org/v3
            kind: NetworkPolicy
            metadata: {name: a, namespace: default}
            spec:
              selector: app == 'a'
              ingress:
                - {protocol: TCP, \(end), action: Allow}
                - {action: Allow}

            """
        let found = try lint(text, workloads: ["app=a"]).findings.map(\.diagnostic).filter { $0.severity == "warning" }
        #expect(found.map { "\($0.line):\($0.column) \($0.code)" }.joined() == expected)
    }

    @Test(arguments: [
        ("toCIDRSet: [{cidrGroupRef: vpn}]", []), ("toCIDRSet: [{cidrGroupRef: nosuch}]", ["BH2102"]),
        ("toCIDRSet: [{cidrGroupRef: nosuch, except: [10.8.0.0/16]}]", ["BH2102"]),
        ("toCIDRSet: [{cidrGroupSelector: {matchLabels: {role: vpn}}}]", []),
        ("toCIDRSet: [{cidrGroupSelector: {matchLabels: {role: x}}}]", ["BH2102"]),
        ("toServices: [{k8sService: {serviceName: db, namespace: shop}}]", []),
        ("toServices: [{k8sService: {serviceName: db, namespace: other}}]", ["BH2102"]),
        ("toServices: [{k8sService: {serviceName: nosuch}}]", ["BH2102"]),
    ])
    func `a group or a service that no file describes is told without workloads`(peer: String, expected: [String])
        throws
    {
        let text = """
            apiVersion: cilium.io/v2
            kind: CiliumCIDRGroup
            metadata: {name: vpn, labels: {role: vpn}}
            spec: {externalCIDRs: [10.8.0.0/16]}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: db, namespace: shop}
            spec: {selector: {app: db}}
            ---
            apiVersion: cilium.io/v2
            kind: CiliumNetworkPolicy
            metadata: {name: a, namespace: shop}
            spec: {endpointSelector: {}, egress: [{\(peer)}]}
            """
        let findings = try lint(text).findings.map(\.diagnostic).filter { $0.severity == "warning" }
        #expect(findings.map(\.code).filter { $0 != "BH2112" } == expected)
        #expect(findings.allSatisfy { $0.code != "BH2102" || $0.line == 14 })
    }

    @Test func `a file that cannot be read does not hide the errors of the others`() throws {
        let wrong = PolicyDocument(name: "b.yaml", text: Array("kind: NetworkPolici\napiVersion: v1\n".utf8))
        let files = readEachDocument("/nowhere/a.yaml") + [.success(wrong)] + readEachDocument("/nowhere/c.yaml")
        let findings = try OfflineLint(files, workloads: [], now: 0).report().findings.map(\.diagnostic)
        #expect(findings.map(\.file) == ["/nowhere/a.yaml", "b.yaml", "/nowhere/c.yaml"])
        #expect(findings.map(\.code) == ["BH1001", "BH1201", "BH1001"])
    }

    @Test func `a lapsed policy is told by the clock`() throws {
        let text = Self.policy("ingress: []", annotations: "bulkhead.dev/validUntil: \"1970-01-02T00:00:00Z\"")
        #expect(try lint(text, now: 86_399).findings == [])
        let finding = try #require(try lint(text, now: 3 * 86_400).findings.first)
        #expect(finding.diagnostic.code == "BH2115" && finding.diagnostic.message.contains("2 days ago"))
        #expect(finding.policy == "NetworkPolicy/default/a" && finding.diagnostic.line == 1)
    }

    @Test func `an exemption needs a code of a finding and a reason`() throws {
        func exempt(_ text: String) throws -> LintReport {
            try lint(Self.policy("egress: []", annotations: "bulkhead.dev/lintIgnore: \"\(text)\""))
        }
        #expect(
            try exempt("BH2015: the empty list is for people").findings.map(\.exemption) == [
                "the empty list is for people"
            ])
        for wrong in ["BH2015", "BH2015:", "BH1301: no", "all: yes", "BH9999: x"] {
            #expect(try exempt(wrong).findings.map(\.diagnostic.code).contains("BH1308"), "\(wrong)")
        }
    }

    @Test func `the lines close with what was looked at`() throws {
        #expect(
            LintRendering.lines(try lint(Self.policy("ingress: []"))) == ["no findings in 1 policy, without workloads"])
        let lines = LintRendering.lines(try lint(Self.policy("egress: []")))
        #expect(lines.count == 2 && lines[0].hasPrefix("a.yaml:8:3: warning[BH2015]: ") && lines[0].contains("; write"))
        #expect(lines[1] == "1 warning in 1 policy, without workloads")
    }

    @Test("every code is explained", arguments: DiagnosticCode.all)
    func explains(code: DiagnosticCode) throws {
        let guide = try #require(code.guide)
        #expect(guide.reason.hasSuffix(".") && guide.remedy.hasSuffix("."))
        #expect(DiagnosticReference.page().filter { $0 == "## \(code)" }.count == 1)
        #expect(DiagnosticReference.text(code).first?.hasPrefix("\(code): ") == true)
    }

    @Test func `the guides are those of the codes, none more`() {
        #expect(DiagnosticGuide.all.map(\.code) == DiagnosticCode.all)
    }
}

/// The examples are sound, or say why a finding is meant.
@Suite struct ExampleLintTests {
    private static let repository = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }

    @Test("lints without an open warning", arguments: ["policies", "shop"])
    func lints(folder: String) throws {
        let path = "\(Self.repository)/Examples/\(folder)"
        for document in try readDocuments(path) {
            let report = try OfflineLint([.success(document)], workloads: [], now: 1_800_000_000).report()
            let open = report.findings.filter { $0.exemption == nil && $0.diagnostic.severity != "note" }
            #expect(open.map(\.diagnostic.text) == [])
            #expect(report.findings.allSatisfy { $0.diagnostic.code != "BH2121" }, "\(document.name)")
        }
    }
}
