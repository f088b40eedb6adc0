// SPDX-License-Identifier: Apache-2.0

import PolicyModel
import Testing

@testable import PolicyReading

/// Reads a text as the file `policy.yaml`.
func read(_ text: String, options: PolicyReader.Options = .init()) -> PolicyDocumentSet {
    PolicyReader(options: options).read(text, file: "policy.yaml")
}

/// What a policy lowers to: the lines of its text after the first, without indentation.
func lowered(_ text: String) -> [String] {
    read(text).policies.flatMap { policy in
        policy.text.split(separator: "\n").dropFirst().map { String($0.drop { $0 == " " }) }
    }
}

/// Every diagnostic as `line:column code path`.
func findings(_ text: String, options: PolicyReader.Options = .init()) -> [String] {
    read(text, options: options).diagnostics.map {
        "\($0.location.line):\($0.location.column) \($0.code) \($0.path)"
    }
}

/// A NetworkPolicy `shop/p` with this text as its spec, from line 5, indented by two.
func networkPolicy(_ spec: String) -> String {
    """
    apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata: {name: p, namespace: shop}
    spec:
    \(indented(spec))

    """
}

/// A CiliumNetworkPolicy `shop/p` with this text as its spec, from line 5, indented by two.
func ciliumPolicy(_ spec: String) -> String {
    """
    apiVersion: cilium.io/v2
    kind: CiliumNetworkPolicy
    metadata: {name: p, namespace: shop}
    spec:
    \(indented(spec))

    """
}

/// A CiliumClusterwideNetworkPolicy `p` with this text as its spec, from line 5, indented by two.
func clusterwidePolicy(_ spec: String) -> String {
    """
    apiVersion: cilium.io/v2
    kind: CiliumClusterwideNetworkPolicy
    metadata: {name: p}
    spec:
    \(indented(spec))

    """
}

private func indented(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { "  \($0)" }.joined(separator: "\n")
}

/// One row of a table: a spec and what it lowers to.
struct LoweringCase: CustomTestStringConvertible, Sendable {
    let name: String
    let spec: String
    let expected: [String]

    init(_ name: String, _ spec: String, _ expected: [String]) {
        self.name = name
        self.spec = spec
        self.expected = expected
    }

    var testDescription: String { name }
}

/// One row of a table: a spec and the diagnostics it causes.
struct FindingCase: CustomTestStringConvertible, Sendable {
    let name: String
    let spec: String
    let expected: [String]

    init(_ name: String, _ spec: String, _ expected: [String]) {
        self.name = name
        self.spec = spec
        self.expected = expected
    }

    var testDescription: String { name }
}
