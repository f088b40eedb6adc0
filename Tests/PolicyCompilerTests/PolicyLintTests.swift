// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyCompiler
import PolicyModel
import Testing

@Suite struct PolicyLintTests {
    private static let http = PortSelection.some([.range(.tcp, 80...80)])
    private static let web = PeerSelection.some([.labels(.app("web"))])
    private static func net(_ length: Int, except: [CIDR] = []) -> PeerSelection {
        .some([.prefix(CIDR(IPAddress(v4: 0x0a00_0000), length: length), except: except, includesWorkloads: false)])
    }

    private func kinds(_ policies: [Policy]) -> [RuleDiagnostic.Kind] { PolicyLint.diagnostics(policies).map(\.kind) }

    /// One rule that allows and one that denies, for one application.
    private func shadow(
        _ allow: (PeerSelection, PortSelection), by deny: (PeerSelection, PortSelection), isAudit: Bool = false,
        direction: Direction = .ingress
    ) -> [RuleDiagnostic.Kind] {
        kinds([
            Policy.test("allow", for: "api", rules: [(.ingress, .allow, allow.0, allow.1)]),
            Policy.test("deny", for: "api", isAudit: isAudit, rules: [(direction, .deny, deny.0, deny.1)]),
        ])
    }

    @Test func `an allow rule that a deny rule covers entirely is unreachable`() {
        #expect(shadow((Self.web, Self.http), by: (Self.web, Self.http)) == [.unreachable])
        #expect(shadow((Self.web, Self.http), by: (.any, .all)) == [.unreachable])
        #expect(shadow((Self.web, Self.http), by: (Self.web, .some([.range(.tcp, 1...1024)]))) == [.unreachable])
        #expect(shadow((Self.net(16), .all), by: (Self.net(8), .all)) == [.unreachable])
    }

    @Test func `an allow rule that is open anywhere is not`() {
        #expect(shadow((Self.web, .all), by: (Self.web, Self.http)) == [])
        #expect(shadow((.any, Self.http), by: (Self.web, Self.http)) == [])
        #expect(shadow((Self.web, Self.http), by: (.some([.labels(.app("db"))]), .all)) == [])
        #expect(shadow((Self.web, Self.http), by: (.any, .all), isAudit: true) == [], "only reported, not denied")
        #expect(shadow((Self.web, Self.http), by: (.any, .all), direction: .egress) == [])
        #expect(shadow((Self.net(8), .all), by: (Self.net(16), .all)) == [])
        let gap = CIDR(IPAddress(v4: 0x0a00_0100), length: 24)
        #expect(shadow((Self.net(16), .all), by: (Self.net(8, except: [gap]), .all)) == [])
        #expect(shadow((Self.net(16, except: [gap]), .all), by: (Self.net(8, except: [gap]), .all)) == [.unreachable])
    }

    @Test func `a deny rule for other subjects covers nothing, one for more subjects does`() {
        let allow = Policy.test("allow", for: "api", rules: [(.ingress, .allow, Self.web, Self.http)])
        var other = Policy.test("deny", for: "db", rules: [(.ingress, .deny, .any, .all)])
        #expect(kinds([allow, other]) == [])
        other.rules[0].subject = .endpoints(LabelSelector())
        #expect(kinds([allow, other]) == [.unreachable])
        other.rules[0].subject = .endpoints(
            LabelSelector([LabelRequirement(source: "k8s", key: "app", .isIn(["db", "api"]))]))
        #expect(kinds([allow, other]) == [.unreachable])
        other.rules[0].subject = .hosts(LabelSelector())
        #expect(kinds([allow, other]) == [])
    }

    @Test func `a selector that no labels can match is told with its place`() throws {
        let impossible = LabelSelector([
            LabelRequirement(source: "k8s", key: "app", .isIn(["a"])),
            LabelRequirement(source: "k8s", key: "app", .isNotIn(["a", "b"])),
        ])
        let found = PolicyLint.diagnostics([
            Policy.test("x", for: "api", rules: [(.ingress, .allow, .some([.labels(impossible)]), .all)])
        ])
        let diagnostic = try #require(found.first).diagnostic
        #expect(found.count == 1 && found[0].kind == .contradictory)
        #expect(diagnostic.description.hasPrefix("x.yaml:10:3: warning[BH2108]: CiliumNetworkPolicy/shop/x ingress[0]"))
    }

    @Test func `every kind has a code of its own`() {
        #expect(Set(RuleDiagnostic.Kind.allCases.map(\.code)).count == RuleDiagnostic.Kind.allCases.count)
        #expect(RuleDiagnostic.Kind.allCases.allSatisfy { DiagnosticCode.all.contains($0.code) })
    }

    @Test func `a policy with more rules than anybody writes is looked at in bounded time`() {
        let rules = (0..<10_000).map { index in
            (Direction.ingress, RuleAction.allow, Self.net(8 + index % 24), PortSelection.all)
        }
        let start = ContinuousClock.now
        // Every rule but those for 10.0.0.0/8 has others that cover it: none decides otherwise.
        #expect(kinds([Policy.test("large", for: "api", rules: rules)]) == [])
        #expect(ContinuousClock.now - start < .seconds(120), "some seconds in a debug build")
    }

    @Test func `thousands of rules are compared in no time`() {
        let policies = (0..<4000).map { number in
            Policy.test(
                "p\(number)", for: "app\(number)",
                rules: [(.ingress, .allow, Self.web, Self.http), (.ingress, .deny, .some([.labels(.app("x"))]), .all)])
        }
        let begin = ContinuousClock.now
        #expect(kinds(policies) == [])
        #expect(ContinuousClock.now - begin < .seconds(5), "some 16 million comparisons would take longer")
    }
}
