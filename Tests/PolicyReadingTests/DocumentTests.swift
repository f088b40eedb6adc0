// SPDX-License-Identifier: Apache-2.0

import PolicyModel
import Testing

@testable import PolicyReading

private let header = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
private let spec = "spec: {podSelector: {}}\n"

/// A valid NetworkPolicy with this text as its metadata.
private func policy(metadata: String) -> String { header + "metadata: \(metadata)\n" + spec }

@Suite struct DocumentTests {
    @Test(
        "refuses documents that are no policy",
        arguments: [
            ("kind: NetworkPolicy\n", "1:1 BH1103 "), ("apiVersion: v1\n", "1:1 BH1103 "), ("{}\n", "1:1 BH1103 "),
            ("- a\n", "1:1 BH1101 "), ("text\n", "1:1 BH1101 "), ("kind: 1\napiVersion: v1\n", "1:7 BH1101 kind"),
            ("apiVersion: v1\nkind: Secret\n", "2:7 BH1201 kind"),
            ("apiVersion: networking.k8s.io/v1\nkind: NetworkPolice\n", "2:7 BH1201 kind"),
            ("apiVersion: networking.k8s.io/v1beta1\nkind: NetworkPolicy\n", "1:13 BH1201 apiVersion"),
            ("apiVersion: cilium.io/v1\nkind: CiliumNetworkPolicy\n", "1:13 BH1201 apiVersion"),
            ("apiVersion: crd.projectcalico.org/v1\nkind: GlobalNetworkPolicy\n", "1:13 BH1201 apiVersion"),
            ("apiVersion: policy.networking.k8s.io/v1alpha1\nkind: ClusterNetworkPolicy\n", "1:13 BH1201 apiVersion"),
            ("apiVersion: policy.networking.k8s.io/v1alpha2\nkind: AdminNetworkPolicy\n", "1:13 BH1201 apiVersion"),
            ("apiVersion: cilium.io/v1\nkind: CiliumCIDRGroup\n", "1:13 BH1201 apiVersion"),
            ("apiVersion: cilium.io/v2alpha1\nkind: CiliumNetworkPolicy\n", "1:13 BH1201 apiVersion"),
        ])
    func refusesOtherDocuments(text: String, expected: String) {
        #expect(findings(text) == [expected])
        #expect(read(text).policies.isEmpty)
    }

    @Test(
        "comments and empty documents are taken with a warning", arguments: ["# only a comment\n", "---\n---\n# x\n"])
    func acceptsNoPolicy(text: String) {
        #expect(read(text).policies.isEmpty && !read(text).hasErrors)
        #expect(findings(text) == ["1:1 BH2013 "])
        #expect(findings(text + "---\n" + policy(metadata: "{name: b}")) == [])
    }

    @Test(
        "a file of nothing, of white space or of zeros is refused",
        arguments: ["", "\n", " \t\r\n\n", "\u{feff}", "\u{feff}\n", "\0\0\0\0"])
    func refusesNothing(text: String) {
        #expect(findings(text) == ["1:1 BH1009 "])
        #expect(read(text).diagnostics.first?.message == "no policy in policy.yaml: the file is empty")
    }

    @Test("reads several documents and keeps those without errors")
    func readsSeveralDocuments() {
        let text =
            policy(metadata: "{name: b}") + "---\n" + policy(metadata: "{name: 5}") + "---\n"
            + policy(metadata: "{name: a}")
        let set = read(text)
        #expect(set.policies.map(\.reference.text) == ["NetworkPolicy/default/a", "NetworkPolicy/default/b"])
        #expect(findings(text) == ["8:18 BH1101 metadata.name"])
        #expect(set.policies.map(\.source.line) == [11, 1])
    }

    @Test("documents before a syntax error are read, the rest is not")
    func stopsAtSyntaxError() {
        let set = read(policy(metadata: "{name: a}") + "---\na: [\n---\n" + policy(metadata: "{name: b}"))
        #expect(set.policies.map(\.reference.name) == ["a"])
        #expect(set.hasErrors)
    }

    @Test(
        "reads lists of policies of several kinds", arguments: ["List", "NetworkPolicyList", "CiliumNetworkPolicyList"])
    func readsLists(kind: String) {
        let text = """
            apiVersion: v1
            kind: \(kind)
            metadata: {resourceVersion: ""}
            items:
            - apiVersion: networking.k8s.io/v1
              kind: NetworkPolicy
              metadata: {name: a}
              spec: {podSelector: {}}
            - apiVersion: cilium.io/v2
              kind: CiliumClusterwideNetworkPolicy
              metadata: {name: b}
              spec: {endpointSelector: {}, ingress: [{fromEntities: [all]}]}
            """
        #expect(
            read(text).policies.map(\.reference.text)
                == ["CiliumClusterwideNetworkPolicy/b", "NetworkPolicy/default/a"])
    }

    @Test("errors in a list name the item")
    func namesItems() {
        let text = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod}\n"
        #expect(findings(text) == ["4:26 BH1201 items[0].kind"])
    }

    @Test(
        "the same reference twice is an error that names both places",
        arguments: ["---\n", "--- # another document\n"])
    func refusesDuplicates(separator: String) throws {
        let set = read(policy(metadata: "{name: a}") + separator + policy(metadata: "{name: a, namespace: default}"))
        let diagnostic = try #require(set.diagnostics.first)
        #expect(diagnostic.code == .duplicatePolicy)
        #expect(diagnostic.location.line == 6)
        #expect(diagnostic.related.map(\.location.line) == [1])
        #expect(set.policies.count == 1)
    }

    @Test("a document with a YAML error lowers to nothing")
    func dropsUnsoundDocuments() {
        let set = read(policy(metadata: "{name: a, name: b}"))
        #expect(set.policies.isEmpty)
        #expect(set.diagnostics.map(\.code) == [.duplicateKey])
    }

    @Test("anchors and aliases work inside a policy")
    func expandsAliases() {
        let text = networkPolicy(
            """
            podSelector: &web {matchLabels: {app: web}}
            ingress: [{from: [{podSelector: *web}]}]
            """)
        #expect(lowered(text).last?.contains("from k8s:io.kubernetes.pod.namespace=shop,any:app=web on all") == true)
    }

    @Test("an alias inside itself is an error, not an endless loop")
    func refusesRecursiveAlias() {
        #expect(findings("&a [*a]\n").contains("1:5 BH1007 "))
    }
}

@Suite struct PolicyMetadataTests {
    @Test(
        "refuses bad names and namespaces",
        arguments: [
            ("{}", "3:11 BH1103 metadata"), ("{name: A}", "3:18 BH1106 metadata.name"),
            ("{name: -a}", "3:18 BH1106 metadata.name"), ("{name: a..b}", "3:18 BH1106 metadata.name"),
            ("{name: a_b}", "3:18 BH1106 metadata.name"), ("{name: ''}", "3:18 BH1106 metadata.name"),
            ("{name: a, namespace: a.b}", "3:32 BH1106 metadata.namespace"),
            ("{name: a, namespace: }", "3:21 BH1104 metadata.namespace"),
            ("{name: a, namspace: b}", "3:21 BH1102 metadata.namspace"),
            ("{name: \(String(repeating: "a", count: 254))}", "3:18 BH1106 metadata.name"),
            ("7", "3:11 BH1101 metadata"),
        ])
    func refusesBadNames(metadata: String, expected: String) {
        #expect(findings(policy(metadata: metadata)) == [expected])
    }

    @Test("metadata missing is an error")
    func refusesMissingMetadata() {
        #expect(findings(header + spec) == ["1:1 BH1103 "])
    }

    @Test(
        "takes what kubectl prints",
        arguments: [
            "{name: a.b-1, creationTimestamp: null, labels: {x: \"y\"}, annotations: {a/b: c}, uid: u, generation: 1}",
            "{name: a, annotations: null}",
        ])
    func takesServerFields(metadata: String) {
        #expect(findings(policy(metadata: metadata) + "status: {}\n") == [])
    }

    @Test("the namespace is the one given by the options when the document names none")
    func usesDefaultNamespace() {
        let set = read(policy(metadata: "{name: a}"), options: .init(defaultNamespace: "house"))
        #expect(set.policies.first?.reference.namespace == "house")
    }

    @Test("a cluster-wide policy with a namespace is refused")
    func refusesNamespaceOnClusterwide() {
        let text = """
            apiVersion: cilium.io/v2
            kind: CiliumClusterwideNetworkPolicy
            metadata: {name: a, namespace: b}
            spec: {endpointSelector: {}, ingress: [{fromEntities: [all]}]}
            """
        #expect(findings(text) == ["3:21 BH1407 metadata.namespace"])
    }

    @Test(
        "the mode annotation decides whether a policy is enforced",
        arguments: [("audit", true), ("enforce", false)])
    func readsMode(mode: String, isAudit: Bool) throws {
        let metadata = "{name: a, annotations: {bulkhead.dev/mode: \(mode)}}"
        let text = header + "metadata: \(metadata)\nspec: {podSelector: {}, ingress: [{}]}\n"
        let policy = try #require(read(text).policies.first)
        #expect(policy.isAudit == isAudit)
        #expect(policy.rules.map(\.isAudit) == [isAudit])
    }

    @Test(
        "an end is a moment of RFC 3339",
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2026-11-21T19:31:13Z", 1_795_289_473),
            ("2026-11-21t20:31:13.999+01:00", 1_795_289_473),
            ("2024-02-29T00:00:00-00:30", 1_709_166_600), ("2000-03-01T00:00:00Z", 951_868_800),
            ("2016-12-31T23:59:60Z", 1_483_228_800),
        ] as [(String, Int64)])
    func readsEnds(text: String, seconds: Int64) throws {
        let metadata = "{name: a, annotations: {bulkhead.dev/validUntil: \"\(text)\"}}"
        let policy = try #require(read(policy(metadata: metadata)).policies.first)
        #expect(policy.validUntil == seconds)
    }

    @Test(
        "what is no moment is refused",
        arguments: [
            "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00", "2026-01-01",
            "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+1:00", "2026-01-01T00:00:00Z ", "+026-01-01T00:00:00Z", "",
            "2026-00-10T00:00:00Z", "2026-01-00T00:00:00Z",
        ])
    func refusesOtherMoments(text: String) {
        let metadata = "{name: a, annotations: {bulkhead.dev/validUntil: \"\(text)\"}}"
        #expect(
            findings(policy(metadata: metadata)) == ["3:60 BH1308 metadata.annotations[\"bulkhead.dev/validUntil\"]"])
    }

    @Test(
        "other modes and unknown annotations of Bulkhead are errors",
        arguments: [
            ("bulkhead.dev/mode: Audit", "3:54 BH1308 metadata.annotations[\"bulkhead.dev/mode\"]"),
            ("bulkhead.dev/mode: true", "3:54 BH1101 metadata.annotations[\"bulkhead.dev/mode\"]"),
            ("bulkhead.dev/mod: audit", "3:35 BH1308 metadata.annotations[\"bulkhead.dev/mod\"]"),
            ("bulkhead.dev/validUntil: soon", "3:60 BH1308 metadata.annotations[\"bulkhead.dev/validUntil\"]"),
            ("bulkhead.dev/validUntil: 5", "3:60 BH1101 metadata.annotations[\"bulkhead.dev/validUntil\"]"),
        ])
    func refusesOtherModes(annotation: String, expected: String) {
        #expect(findings(policy(metadata: "{name: a, annotations: {\(annotation)}}")) == [expected])
    }

    @Test("a policy without a spec is refused", arguments: ["", "spec:\n", "spec: 1\n"])
    func refusesMissingSpec(spec: String) {
        #expect(read(header + "metadata: {name: a}\n" + spec).diagnostics.map(\.severity) == [.error])
    }

    @Test(
        "a Cilium policy needs spec or specs",
        arguments: [("", "1:1 BH1103 "), ("specs: []\n", "1:1 BH1103 "), ("specs: {}\n", "4:8 BH1101 specs")])
    func refusesMissingSpecs(spec: String, expected: String) {
        let text = "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: a}\n" + spec
        #expect(findings(text) == [expected])
    }
}
