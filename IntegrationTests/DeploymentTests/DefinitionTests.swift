// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import Foundation
import IdentityModel
import KubernetesClient
import NetworkModel
import PolicyReading
import TestBed
import Testing

@testable import AgentCore

/// Bulkhead's own kinds, and the rules by which they are looked at.
@Suite struct DefinitionTests {
    private static let folder =
        #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined() + "/Deploy/kubernetes/crds"

    @Test func `the definitions are whole and bound what they let in`() async throws {
        try await withTestBed(subnet: 98) { bed in
            let output = try await bed.run(["kubectl", "kustomize", Self.folder]).checked().output
            let definitions = try Manifest.read(output)
            #expect(
                definitions.map(\.name).sorted() == [
                    "nodepolicyreports.bulkhead.dev", "policyloggings.bulkhead.dev", "workloadslices.bulkhead.dev",
                ])
            #expect(definitions.flatMap(DefinitionRules.findings) == [])
        }
    }

    /// The schema of a kind's only version.
    private func schema(_ file: String) throws -> ConfigurationNode {
        let text = try String(contentsOfFile: "\(Self.folder)/\(file)", encoding: .utf8)
        let definition = try #require(try Manifest.read(text).first)
        return try #require(definition.node["spec"]?["versions"]?.items.first?["schema"]?["openAPIV3Schema"])
    }

    private func faults(_ record: WorkloadSliceRecord) throws -> [String] {
        let bytes = try JSONEncoder().encode(["spec": record])
        let value = try #require(try ConfigurationNode.read(Array(bytes), file: "slice"))
        return SchemaValidation.faults(of: value, by: try schema("workload-slices/workloadslices.yaml"))
    }

    private func record(_ count: Int) -> WorkloadSliceRecord {
        var slice = WorkloadSlice()
        for number in 0..<count {
            let labels = LabelSet([Label(source: "k8s", key: "app", value: "a\(number)")])
            let port = NamedPort(proto: .tcp, name: "http")
            slice.workloads["shop/a\(number)"] = ClusterWorkload(
                node: "node-\(number % 7)", labels: labels,
                addresses: [
                    IPAddress(v4: 0x0a00_0000 | UInt32(number)), IPAddress(high: 0xfd00 << 48, low: UInt64(number)),
                ],
                namedPorts: NamedPorts([port: [8080, 8081]]))
        }
        return WorkloadSliceRecord(slice)
    }

    @Test(arguments: [
        ("workload-slices/workloadslices.yaml", ResourceKind.workloadSlices),
        ("policy-reports/nodepolicyreports.yaml", .nodePolicyReports),
        ("policy-logging/policyloggings.yaml", .policyLoggings),
    ])
    func `a definition is of the kind that agents ask for`(file: String, kind: ResourceKind) throws {
        let text = try String(contentsOfFile: "\(Self.folder)/\(file)", encoding: .utf8)
        let spec = try #require(try Manifest.read(text).first?.node["spec"])
        #expect(spec["group"]?.text == kind.group)
        #expect(spec["names"]?["plural"]?.text == kind.plural)
        #expect(spec["names"]?["kind"]?.text == kind.kind)
        #expect(spec["versions"]?.items.compactMap { $0["name"]?.text } == [kind.version])
        #expect((spec["scope"]?.text == "Namespaced") == kind.isNamespaced)
    }

    @Test func `what is written in slices fits their definition, and no more than a thousand`() throws {
        #expect(try faults(record(0)) == [])
        #expect(try faults(record(1000)) == [])
        #expect(
            try faults(record(1001)).sorted() == [
                ".spec.labelSets: maxItems", ".spec.workloads: maxItems", ".spec.workloads[].labels: maximum",
            ])
        var broken = record(1)
        broken.workloads[0].addresses = ["nowhere"]
        broken.workloads[0].labels = -1
        #expect(
            try faults(broken).sorted() == [
                ".spec.workloads[].addresses[]: pattern", ".spec.workloads[].labels: minimum",
            ])
    }

    @Test func `what a node reports fits its definition, however much is wrong there`() throws {
        var report = NodePolicyReport()
        func faults() throws -> [String] {
            let text = report.object(time: "2026-11-23T08:00:00.000000Z").text
            let value = try #require(try ConfigurationNode.read(Array(text.utf8), file: "report"))
            return SchemaValidation.faults(of: value, by: try schema("policy-reports/nodepolicyreports.yaml"))
        }
        #expect(try faults() == [])
        for kind in ResourceKind.policies {
            report.digests[kind.description] = DocumentDigest(sum: 7, count: 3)
            report.problems[kind.description] = "403"
        }
        for number in 0..<400 {
            let key = ObjectKey(namespace: number % 2 == 0 ? "shop" : "", name: "p\(number)")
            report.exceptions[ResourceKind.networkPolicies.documentKey(key)] = .init(
                number % 3 == 0 ? .refused : .waiting, generation: number,
                message: NodePolicyReport.line(String(repeating: "ü\n", count: 900)))
        }
        report.problem = "dry"
        report.bound()
        #expect(try faults() == [] && report.omitted == 150)
        let text = report.object(time: "t").bytes
        let object = try #require(
            RawObject(try JSONView(Array(#"{"metadata":{"name":"n1"},"#.utf8) + text.dropFirst())))
        #expect(try NodePolicyReport(object) == report, "and is read as it was written")
    }

    @Test(arguments: [
        ("{spec: {verdicts: [deny]}}", []),
        ("{spec: {verdicts: [deny, allow], policies: annotated, namespaces: [shop], linesPerSecond: 5}}", []),
        ("{spec: {}}", [".spec lacks verdicts"]), ("{spec: {verdicts: []}}", [".spec.verdicts: minItems"]),
        ("{spec: {verdicts: [drop]}}", [".spec.verdicts[]: enum"]),
        ("{spec: {verdicts: [deny], namespaces: [Shop]}}", [".spec.namespaces[]: pattern"]),
        ("{spec: {verdicts: [deny], linesPerSecond: 0}}", [".spec.linesPerSecond: minimum"]),
        ("{spec: {verdicts: [deny], verbose: true}}", [".spec: no property verbose"]),
    ])
    func `the logging resource takes what it means`(text: String, expected: [String]) throws {
        let value = try #require(try ConfigurationNode.read(Array(text.utf8), file: "logging"))
        #expect(try SchemaValidation.faults(of: value, by: schema("policy-logging/policyloggings.yaml")) == expected)
    }

    private static let whole = """
        kind: CustomResourceDefinition
        metadata: {name: things.example.org}
        spec:
          group: example.org
          names: {plural: things}
          versions:
            - name: v1
              storage: true
              schema:
                openAPIV3Schema:
                  type: object
                  required: [list]
                  properties:
                    list:
                      type: array
                      maxItems: 4
                      x-kubernetes-list-map-keys: [key]
                      items:
                        type: object
                        required: [key]
                        properties: {key: {type: string, maxLength: 9}}
                  x-kubernetes-validations:
                    - {rule: "self.list.all(x, x.key != '')", message: no}

        """

    @Test func `nothing is wrong with a whole one`() throws {
        #expect(try Manifest.read(Self.whole).flatMap(DefinitionRules.findings) == [])
    }

    @Test(arguments: [
        ("plural: things", "plural: thing", "its name is not <plural>.<group>"),
        ("storage: true", "storage: false", "not one version is stored"),
        ("required: [list]", "required: [lists]", "v1 requires lists, which it does not have"),
        ("maxItems: 4", "minItems: 4", "v1.list has no maxItems"),
        ("required: [key]", "required: []", "v1.list is keyed by key, which its items need not have"),
        (", maxLength: 9", "", "v1.list[].key is of any length"),
        ("type: string, ", "", "v1.list[].key has no type"),
        (", message: no", "", "v1: a rule without a message"),
        ("x.key", "y.key", "v1: nothing is called y"),
    ])
    func `one fault is found`(old: String, new: String, finding: String) throws {
        let text = Self.whole.replacing(old, with: new)
        #expect(text != Self.whole)
        #expect(try Manifest.read(text).flatMap(DefinitionRules.findings) == ["things.example.org: \(finding)"])
    }

    @Test(arguments: [
        "self.a.all(x, x.b < self.c.size())", "has(self.a) ? self.a > 1 : !(self.b in ['x', \"y\"])",
        "self.m['k'].exists(k, k == 1 || k.matches('^[(]$')) ", "size(self.x) == -1",
    ])
    func `expressions that parse`(text: String) throws {
        try CELSyntax.check(text)
    }

    @Test(arguments: [
        ("self.a.all(x, x.b < 1", ") expected, not the end"), ("self.a == ", "an expression expected, not the end"),
        ("self.a === 1", "unexpected ="), ("self.a = 1", "unexpected ="), ("len(self.a)", "no function len"),
        ("self.list.every(x, x > 1)", "no function every"), ("self.a.all(1, true)", "all binds a variable"),
        ("x", "nothing is called x"),
        ("self.a.all(x, true) && x", "nothing is called x"), ("self.a) ", "unexpected )"),
        ("'a", "a text without an end"), ("self.", "a field expected"),
    ])
    func `expressions that do not`(text: String, fault: String) {
        #expect(throws: CELSyntax.Fault(description: fault)) { try CELSyntax.check(text) }
    }
}
