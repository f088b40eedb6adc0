// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import PolicyReading
import Testing

@testable import Console

/// What is wrong and what to do about it is said in the words of the document's own dialect.
@Suite struct LintWordingTests {
    private func finding(_ code: String, _ text: String, workloads: [String] = []) throws -> DiagnosticRecord {
        let document = PolicyDocument(name: "a.yaml", text: Array(text.utf8))
        let report = try OfflineLint([.success(document)], workloads: workloads.map(ImaginationOptions.labels), now: 0)
            .report()
        let found = report.findings.map(\.diagnostic).filter { $0.code == code }
        try #require(found.count == 1, "\(report.findings.map(\.diagnostic.text))")
        return found[0]
    }

    private func calico(_ spec: String) -> String {
        "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: p}\nspec:\n"
            + spec.split(separator: "\n").map { "  \($0)\n" }.joined()
    }

    private func cilium(_ subject: String, _ spec: String) -> String {
        "apiVersion: cilium.io/v2\nkind: CiliumClusterwideNetworkPolicy\nmetadata: {name: p}\nspec:\n"
            + "  \(subject): {matchLabels: {app: a}}\n  \(spec)\n"
    }

    private static let set = """
        ---
        apiVersion: projectcalico.org/v3
        kind: GlobalNetworkSet
        metadata: {name: partners, labels: {role: partner}}
        spec: {allowedEgressDomains: [a.example.org]}

        """

    @Test(arguments: [
        ("applyOnForward: true", "for what passes through the host"),
        ("applyOnForward: true\ndoNotTrack: true", "in a policy without flows (`doNotTrack`)"),
    ])
    func `names of sets that open nothing are told with the place where they do not`(
        stages: String, place: String
    ) throws {
        let spec =
            "\(stages)\nselector: has(host)\negress: [{action: Allow, destination: {selector: role == 'partner'}}]"
        let found = try finding("BH2124", calico(spec) + Self.set)
        #expect(found.message.hasSuffix(" which open nothing \(place)") && found.severity == "note")
        #expect(found.remedy == "list the addresses in `nets` of the set")
    }

    @Test func `exempt from what other documents bring about, a policy alone is not told that it is needless`() throws {
        let alone = calico("tier: security\nselector: all()\negress: [{action: Pass}]").replacing(
            "name: p}",
            with: "name: p, annotations: {bulkhead.dev/lintIgnore: \"BH2124: nets do; BH2123: the tier is elsewhere\"}}"
        )
        let tier = "---\napiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: {name: security}\nspec: {order: 1}\n"
        let document = PolicyDocument(name: "a.yaml", text: Array((alone + tier).utf8))
        let report = try OfflineLint([.success(document)], workloads: [], now: 0).report()
        #expect(report.findings.map(\.diagnostic.text) == [])
    }

    @Test(arguments: [
        ("applyOnForward: true", "with applyOnForward", "applyOnForward"),
        ("applyOnForward: true\ndoNotTrack: true", "without flows (doNotTrack)", "doNotTrack and applyOnForward"),
    ])
    func `domains are refused with the field that excludes them`(
        stages: String, place: String, field: String
    ) throws {
        let spec = "\(stages)\negress: [{action: Allow, destination: {domains: [a.test]}}]"
        let found = try finding("BH1502", calico(spec))
        #expect(found.message.hasPrefix("`domains` in a policy \(place)"))
        #expect(found.remedy == "write `nets`, or put the rule into a policy without \(field)")
    }

    @Test func `who denies by name in Calico's language is shown a way in this language`() throws {
        let found = try finding("BH1502", calico("egress: [{action: Deny, destination: {domains: [a.test]}}]"))
        #expect(found.remedy == "write `nets`, or allow the names that may be reached and deny the rest")
    }

    @Test func `ping is allowed by what the dialect has for it`() throws {
        let ofCalico = try finding(
            "BH2114",
            calico("selector: app == 'a'\ningress: [{action: Allow, protocol: TCP, destination: {ports: [80]}}]"))
        #expect(ofCalico.remedy?.contains("`protocol: ICMP` with `icmp: {type: 8}`") == true)
        #expect(ofCalico.remedy?.contains("icmps") == false)
        let ofCilium = try finding(
            "BH2114", cilium("endpointSelector", "ingress: [{toPorts: [{ports: [{port: \"80\"}]}]}]"))
        #expect(ofCilium.remedy?.contains("(`icmps`)") == true)
    }

    @Test func `a rule of Calico's has one protocol, others take several`() throws {
        let found = try finding(
            "BH2113",
            calico("selector: app == 'a'\negress: [{action: Allow, protocol: UDP, destination: {ports: [53]}}]"))
        #expect(found.remedy == "write the same rule for `protocol: TCP` too")
    }

    @Test func `hosts are selected by a node selector in Cilium's language alone`() throws {
        let ofCilium = try finding(
            "BH2101", cilium("nodeSelector", "ingress: [{fromEntities: [world]}]"), workloads: ["app=b"])
        #expect(ofCilium.message.hasSuffix(": the node selector matches no host endpoint here"))
        let ofCalico = try finding(
            "BH2101",
            calico(
                "selector: has(host-endpoint)\napplyOnForward: true\ndoNotTrack: true\ningress: [{action: Allow}]"),
            workloads: ["app=b"])
        #expect(ofCalico.message.hasSuffix(": the selector matches no host endpoint here"))
    }
}
