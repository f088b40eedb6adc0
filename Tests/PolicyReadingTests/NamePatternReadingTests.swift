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

    @Test func `an address is no name that anybody asks for, and is told as one`() {
        let set = PolicyReader().read(
            "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet\nmetadata: {name: s}\n"
                + "spec: {allowedEgressDomains: [a.example, 192.0.2.1, 1.2.3]}\n", file: "p.yaml")
        #expect(
            set.diagnostics.map { "\($0.location.line):\($0.location.column) \($0.code) \($0.severity)" } == [
                "4:42 BH2018 warning"
            ])
        #expect(set.diagnostics.first?.remedy == "write it in `nets`, as 192.0.2.1/32")
        #expect(set.policies.first?.prefixGroup?.names.count == 3, "taken as Calico takes it")
        #expect(calico("{domains: [192.0.2.1]}").diagnostics.map(\.code.description) == ["BH2018"])
        let cilium = PolicyReader().read(
            ciliumPolicy("endpointSelector: {}\negress:\n- toFQDNs: [{matchName: 192.0.2.1}]"), file: "p.yaml")
        #expect(cilium.diagnostics.map(\.remedy) == ["write an element with `toCIDR: [192.0.2.1/32]`"])
        #expect(!cilium.hasErrors && cilium.policies.count == 1)
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

    @Test func `names of sets are for rules that let out and ask of the other end who it is and nothing else`() {
        func namesSets(_ set: PolicyDocumentSet) -> [Bool] {
            #expect(set.diagnostics.map(\.description) == [])
            return set.policies.flatMap(\.rules).map { $0 != $0.withoutGroupNames }
        }
        for destination in [
            "{selector: a == 'b'}", "{namespaceSelector: global()}", "{selector: a == 'b'}, protocol: TCP",
            "{selector: a == 'b', nets: []}", "{serviceAccounts: {selector: all()}}",
            "{selector: a == 'b'}, protocol: ICMP, ipVersion: 4",
        ] {
            let found = namesSets(calico(destination))
            #expect(found.contains(true) && !found.contains(false), "\(destination)")
            for (action, section) in [("Deny", "egress"), ("Pass", "egress"), ("Allow", "ingress")] {
                #expect(!namesSets(calico(destination, action: action, section: section)).contains(true))
            }
        }
        for destination in [
            "{selector: a == 'b', nets: [192.0.2.0/24]}", "{selector: a == 'b', notNets: [192.0.2.0/24]}",
            "{selector: a == 'b', notSelector: c == 'd'}", "{selector: a == 'b'}, ipVersion: 4", "{}",
            "{services: {name: a, namespace: b}}",
            // It leaves out nobody, and is written nevertheless.
            "{selector: a == 'b', notSelector: c == 'd' && c == 'e'}",
        ] {
            #expect(!namesSets(calico(destination)).contains(true), "\(destination)")
        }
    }

    @Test func `what passes through the host has no names of sets, and the host itself has`() {
        let text = """
            apiVersion: projectcalico.org/v3
            kind: GlobalNetworkPolicy
            metadata: {name: p}
            spec:
              applyOnForward: true
              selector: has(host)
              egress: [{action: Allow, destination: {selector: a == 'b'}}]

            """
        let rules = PolicyReader().read(text, file: "p.yaml").policies.flatMap(\.rules)
        let isAtStage = rules.map { if case .stage = $0.subject { true } else { false } }
        #expect(Set(isAtStage) == [true, false])
        #expect(rules.map { $0 == $0.withoutGroupNames } == isAtStage)
    }

    @Test func `one pattern more than are looked for below a name is refused, with its rule`() throws {
        let enough = (0..<64).map { "a\($0)-*.example" }
        #expect(read(enough + enough + ["x*.other", "*.example"]).diagnostics.isEmpty)
        let error = try #require(read(enough + ["b*.example"]).diagnostics.first)
        #expect(error.code == .tooMany && error.location.line == 7)
        #expect(error.message.contains("64") && error.message.contains("example"))
    }
}
