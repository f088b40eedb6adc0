// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import PolicyReading

@Suite struct LabelSyntaxTests {
    private static let longest = String(repeating: "x", count: 63)

    @Test func `keys are those of Kubernetes, those of namespaces included`() {
        let valid = [
            "app", "a", "App.kubernetes_io-x", "app.kubernetes.io/name", "1/2", Self.longest, "a.b/\(Self.longest)",
            "io.cilium.k8s.namespace.labels.\(Self.longest)",
            "io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name",
        ]
        for key in valid { #expect(LabelSyntax.isKey(key), "\(key)") }
        let invalid = [
            "", "-a", "a-", "a b", "ä", "a/b/c", "/a", "a/", "A/b", "a..b/c", "a_b/c", "-a/b", "a:b",
            Self.longest + "x",
            "io.cilium.k8s.namespace.labels.", String(repeating: "a.", count: 127) + "/b",
        ]
        for key in invalid { #expect(!LabelSyntax.isKey(key), "\(key)") }
    }

    @Test func `values are those of Kubernetes`() {
        for value in ["", "a", "A1", "1.2-3_4", Self.longest] { #expect(LabelSyntax.isValue(value), "\(value)") }
        for value in ["-a", "a.", " ", "a/b", "a:b", "ü", "a\n", Self.longest + "x"] {
            #expect(!LabelSyntax.isValue(value), "\(value)")
        }
    }

    @Test func `a container's labels hold any text, in a Cilium policy that says so`() {
        let selectors =
            #"fromEndpoints: [{matchLabels: {"container:org.opencontainers.image.source": "https://x.example/a b"}}]"#
        #expect(findings(ciliumPolicy("endpointSelector: {}\ningress: [{\(selectors)}]")) == [])
        let bare = selectors.replacing("container:", with: "")
        #expect(findings(ciliumPolicy("endpointSelector: {}\ningress: [{\(bare)}]")).count == 1)
    }

    @Test func `Cilium takes an exception that leaves nothing, with a warning`() {
        let spec = "endpointSelector: {}\ningress: [{fromCIDRSet: [{cidr: 10.0.0.0/8, except: [10.0.0.0/8]}]}]"
        #expect(findings(ciliumPolicy(spec)) == ["6:56 BH2007 spec.ingress[0].fromCIDRSet[0].except[0]"])
        #expect(read(ciliumPolicy(spec)).policies.count == 1)
    }
}
