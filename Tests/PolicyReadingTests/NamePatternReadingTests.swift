// SPDX-License-Identifier: Apache-2.0
import NetworkModel
import PolicyModel
import Testing

@testable import PolicyReading

@Suite struct NamePatternReadingTests {
    private func read(_ patterns: [String]) -> PolicyDocumentSet {
        let head =
            "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: p}\nspec:\n  endpointSelector: {}\n"
        let lines = patterns.map { "    - matchPattern: \"\($0)\"\n" }.joined()
        return PolicyReader().read(head + "  egress:\n  - toFQDNs:\n" + lines, file: "p.yaml")
    }

    @Test(arguments: [
        ("*", "*"), ("**", "*"), ("*.", "*"), ("**.", "*"), ("***", "*"), (" * ", "*"), ("A.Example.", "a.example"),
        ("*.a.example", "*.a.example"), ("**.a.example", "**.a.example"), ("***.a.example", "**.a.example"),
        ("api-*.A.example.", "api-*.a.example"), ("*cdn.example", "*cdn.example"), ("a.**.example", "a.*.example"),
        ("x**y.example", "x*y.example"), ("**.a*.example", "**.a*.example"), ("*.*", "*.*"),
    ])
    func `stars are read as Cilium reads them`(_ pattern: String, _ meant: String) {
        let set = read([pattern])
        #expect(set.diagnostics.map(\.description) == [])
        #expect(
            set.policies.flatMap(\.rules).map(\.peers) == [.some([.name(NameSelector(meant) ?? .all)])], "\(pattern)")
    }

    @Test(arguments: ["", ".", "a..*", "*.a b", "a{b}*.example", ".*"])
    func `what is no pattern is refused`(_ pattern: String) {
        #expect(read([pattern]).diagnostics.map(\.code.description) == ["BH1314"], "\(pattern)")
    }

    private func calico(_ destination: String, action: String = "Allow", section: String = "egress")
        -> PolicyDocumentSet
    {
        let side = section == "egress" ? "destination" : "source"
        return PolicyReader().read(
            "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: p}\nspec:\n"
                + "  selector: all()\n  \(section):\n  - {action: \(action), \(side): \(destination)}\n", file: "p.yaml"
        )
    }

    @Test(arguments: [
        ("a.example", "a.example"), ("*.A.example", "**.a.example"), ("www.*.com", "www.**.com"), ("a.*", "a.**"),
        ("*", "*"),
    ])
    func `Calico's star is one or more labels`(_ pattern: String, _ meant: String) {
        let set = calico("{domains: [\"\(pattern)\"]}")
        #expect(set.diagnostics.map(\.description) == [])
        let expected = PeerSelection.some([.name(NameSelector(meant) ?? .all)])
        #expect(!set.policies.isEmpty && set.policies.flatMap(\.rules).allSatisfy { $0.peers == expected })
    }

    @Test func `Calico's domains stand alone, in egress rules that allow`() {
        func codes(_ set: PolicyDocumentSet) -> [String] { set.diagnostics.map(\.code.description) }
        for pattern in ["*.*.a", "a*.example", "a b", "", "**.a"] {
            #expect(codes(calico("{domains: [\"\(pattern)\"]}")) == ["BH1314"], "\(pattern)")
        }
        #expect(codes(calico("{domains: [a.example], nets: [192.0.2.0/24]}")) == ["BH1401"])
        #expect(codes(calico("{domains: [a.example]}", action: "Deny")) == ["BH1502"])
        #expect(codes(calico("{domains: [a.example]}", section: "ingress")).count == 1)
        #expect(codes(calico("{domains: [a.example], ports: [443]}, protocol: TCP")).isEmpty)
    }

    @Test func `one pattern more than are looked for below a name is refused, with its rule`() throws {
        let enough = (0..<64).map { "a\($0)-*.example" }
        #expect(read(enough + enough + ["x*.other", "*.example"]).diagnostics.isEmpty)
        let error = try #require(read(enough + ["b*.example"]).diagnostics.first)
        #expect(error.code == .tooMany && error.location.line == 7)
        #expect(error.message.contains("64") && error.message.contains("example"))
    }
}
