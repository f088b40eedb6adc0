// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyCompiler
import PolicyModel
import Testing

@Suite struct NameWordingTests {
    private func policy(_ kind: String, _ names: String...) throws -> Policy {
        let selectors = try names.map { PeerSelector.name(try #require(NameSelector($0))) }
        let reference = PolicyReference(kind: kind, namespace: "", name: "n")
        let source = SourceLocation(file: "n.yaml", line: 1, column: 1)
        let rule = PolicyRule(
            origin: RuleOrigin(policy: reference, section: "egress", index: 0, source: source),
            subject: .endpoints(.init()),
            direction: .egress, peers: .some(selectors))
        return Policy(reference: reference, source: source, rules: [rule], defaultDeny: [])
    }

    /// By what the engine calls them.
    private func texts(_ policies: Policy...) -> [String: String] {
        let wording = NameWording(policies)
        let names = policies.reduce(into: Set<NameSelector>()) { $0.formUnion($1.names) }
        return Dictionary(uniqueKeysWithValues: names.map { ($0.description, wording.text($0)) })
    }

    @Test func `names are written as the documents have them`() throws {
        #expect(
            texts(try policy("GlobalNetworkPolicy", "**.a.example", "b.example", "x.**.c.example", "*")) == [
                "*": "*", "**.a.example": "*.a.example", "b.example": "b.example", "x.**.c.example": "x.*.c.example",
            ])
        #expect(texts(try policy("ClusterNetworkPolicy", "**.a.example")) == ["**.a.example": "*.a.example"])
        #expect(
            texts(try policy("CiliumNetworkPolicy", "**.a.example", "*.a.example")) == [
                "*.a.example": "*.a.example", "**.a.example": "**.a.example",
            ])
    }

    @Test func `one text stands for one selector`() throws {
        let calico = try policy("GlobalNetworkPolicy", "**.a.example", "**.b.example")
        #expect(
            texts(calico, try policy("CiliumNetworkPolicy", "*.a.example")) == [
                "*.a.example": "*.a.example", "**.a.example": "**.a.example", "**.b.example": "*.b.example",
            ])
        #expect(
            texts(calico, try policy("CiliumNetworkPolicy", "**.b.example")) == [
                "**.a.example": "*.a.example", "**.b.example": "**.b.example",
            ])
    }
}
