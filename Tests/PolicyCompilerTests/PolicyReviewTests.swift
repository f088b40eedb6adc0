// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyCompiler
import PolicyModel
import Testing

@Suite struct PolicyReviewTests {
    private static let namespace = LabelRequirement.equal(
        source: "k8s", key: WellKnownLabel.namespace, value: "shop")
    private static let web = PeerSelection.some([.labels(.app("web"))])
    private static let http = PortSelection.some([.range(.tcp, 80...80)])
    private static let dns = PortSelection.some([.range(.udp, 53...53), .range(.tcp, 53...53)])
    private static let everyoneV4 = PeerSelector.prefix(
        CIDR(IPAddress(v4: 0), length: 0), except: [], includesWorkloads: false)
    private static let everyoneV6 = PeerSelector.prefix(
        CIDR(IPAddress("::") ?? IPAddress(v4: 0), length: 0), except: [],
        includesWorkloads: false)

    private func codes(
        _ policies: [Policy], _ surroundings: LintSurroundings = LintSurroundings()
    ) -> [DiagnosticCode] {
        PolicyReview(policies, surroundings).run().findings.filter { $0.exemption == nil }.map(\.diagnostic.code)
    }

    private func finds(
        _ code: DiagnosticCode, in policies: [Policy], _ surroundings: LintSurroundings = LintSurroundings()
    ) -> Bool { codes(policies, surroundings).contains(code) }

    private func api(
        _ name: String = "api", closes: [Direction], _ rules: [(Direction, RuleAction, PeerSelection, PortSelection)]
    ) -> Policy { Policy.test(name, for: "api", closes: closes, rules: rules) }

    // MARK: Rules that others decide

    @Test func `a rule behind one that decides all of it is shadowed`() {
        func admin(_ first: RuleAction, _ second: RuleAction, tier: PolicyTier = .admin) -> [Policy] {
            var policy = api(closes: [], [(.ingress, first, .any, .all), (.ingress, second, Self.web, Self.http)])
            policy.tier = tier
            policy.order = .priority(1)
            return [policy]
        }
        #expect(finds(.shadowed, in: admin(.allow, .deny)))
        #expect(finds(.shadowed, in: admin(.pass, .deny)))
        #expect(finds(.unreachable, in: admin(.deny, .allow)))
        var narrowFirst = admin(.allow, .deny)
        narrowFirst[0].rules.reverse()
        #expect(!finds(.shadowed, in: narrowFirst))
    }

    @Test func `in order too a rule behind one that decides all of it is shadowed`() {
        func ordered(_ order: Double?, _ action: RuleAction, _ name: String) -> Policy {
            var policy = api(name, closes: [.ingress], [(.ingress, action, name == "a" ? .any : Self.web, .all)])
            policy.order = .ordered(order)
            return policy
        }
        #expect(finds(.shadowed, in: [ordered(1, .pass, "a"), ordered(2, .allow, "b")]))
        #expect(finds(.unreachable, in: [ordered(1, .deny, "a"), ordered(nil, .allow, "b")]))
        #expect(!finds(.shadowed, in: [ordered(3, .pass, "a"), ordered(2, .allow, "b")]))
    }

    @Test func `a tier or profile that no document defines is named, one that is there is not`() {
        var policy = api(closes: [.ingress], [(.ingress, .allow, Self.web, Self.http)])
        policy.tier = .own("security")
        var tier = api("security", closes: [], [])
        tier.definedTier = TierDefinition(name: "security", order: 1)
        #expect(finds(.undefinedTier, in: [policy]) && !finds(.undefinedTier, in: [policy, tier]))
        var host = api("host", closes: [.ingress], [])
        host.tier = .profile
        host.grants = [
            EndpointGrant(
                recipient: .node("n", device: nil),
                labels: [CalicoProfile.marker("web"), CalicoProfile.marker(CalicoProfile.allowAll)])
        ]
        #expect(codes([host]).filter { $0 == .undefinedTier }.count == 1)
        var profile = api("web", closes: [], [])
        profile.reference = PolicyReference(kind: "Profile", namespace: "", name: "web")
        #expect(!finds(.undefinedTier, in: [host, profile]))
    }

    @Test func `a rule of a later tier is shadowed by a final one of an earlier tier, unless a rule before it passes`()
    {
        var admin = api("admin", closes: [], [(.ingress, .allow, .any, .all)])
        admin.tier = .admin
        admin.order = .priority(1)
        let late = api("late", closes: [.ingress], [(.ingress, .allow, Self.web, Self.http)])
        #expect(finds(.shadowed, in: [admin, late]))
        admin.rules[0].action = .pass
        #expect(!finds(.shadowed, in: [admin, late]))
        admin.rules[0].action = .allow
        var passing = admin.rules[0]
        passing.action = .pass
        passing.origin = RuleOrigin(
            policy: passing.origin.policy, section: passing.origin.section, index: 1, source: passing.origin.source)
        admin.rules.insert(passing, at: 0)
        #expect(codes([admin, late]).filter { $0 == .shadowed }.count == 1, "only the admin rule behind the pass")
    }

    @Test func `of two rules with the same effect one is redundant, and only one`() {
        let rule: (Direction, RuleAction, PeerSelection, PortSelection) = (.ingress, .allow, Self.web, Self.http)
        let (a, b) = (api("a", closes: [.ingress], [rule]), api("b", closes: [.ingress], [rule]))
        #expect(codes([a, b]).filter { $0 == .redundant }.count == 1)
        #expect(!finds(.redundant, in: [a]))
        let wide = api("wide", closes: [.ingress], [(.ingress, .allow, .any, Self.http)])
        #expect(finds(.redundant, in: [a, wide]))
        var audited = wide
        audited.isAudit = true
        audited.rules[0].isAudit = true
        #expect(!finds(.redundant, in: [a, audited]))
    }

    // MARK: What closing cuts

    @Test func `closing egress but for some rules cuts names, until port 53 is open`() {
        let closed = api(closes: [.egress], [(.egress, .allow, Self.web, Self.http)])
        #expect(finds(.dnsBlocked, in: [closed]))
        let open = Policy.test("dns", for: "api", closes: [], rules: [(.egress, .allow, .any, Self.dns)])
        #expect(!finds(.dnsBlocked, in: [closed, open]))
        let elsewhere = Policy.test("dns", for: "db", closes: [], rules: [(.egress, .allow, .any, Self.dns)])
        #expect(finds(.dnsBlocked, in: [closed, elsewhere]))
        #expect(!finds(.dnsBlocked, in: [api(closes: [.egress], [])]), "it is meant to isolate")
        #expect(!finds(.dnsBlocked, in: [api(closes: [], [(.egress, .allow, Self.web, Self.http)])]))
    }

    @Test func `a rule for all ports of the own namespace leads to no resolver`() {
        let own = LabelSelector([Self.namespace])
        var policy = api(closes: [.egress], [(.egress, .allow, .some([.labels(own)]), .all)])
        policy.rules[0].subject = .endpoints(own)
        policy.defaultDeny[0].subject = .endpoints(own)
        #expect(finds(.dnsBlocked, in: [policy]))
        policy.rules[0].peers = .some([.labels(LabelSelector())])
        #expect(!finds(.dnsBlocked, in: [policy]))
    }

    @Test func `DNS over UDP alone is noted`() {
        let udp = PortSelection.some([.range(.udp, 53...53)])
        #expect(finds(.dnsOverTCPBlocked, in: [api(closes: [.egress], [(.egress, .allow, .any, udp)])]))
        #expect(!finds(.dnsOverTCPBlocked, in: [api(closes: [.egress], [(.egress, .allow, .any, Self.dns)])]))
        #expect(!finds(.dnsOverTCPBlocked, in: [api(closes: [], [(.egress, .allow, .any, udp)])]))
    }

    @Test func `rules with ports cut ping, until a rule speaks of it`() {
        let ports = api(closes: [.ingress], [(.ingress, .allow, Self.web, Self.http)])
        #expect(finds(.icmpBlocked, in: [ports]))
        let ping = PortSelection.some([.icmpType(.icmp, 8)])
        let open = api("ping", closes: [.ingress], [(.ingress, .allow, .any, ping)])
        #expect(!finds(.icmpBlocked, in: [ports, open]))
        #expect(!finds(.icmpBlocked, in: [api(closes: [.ingress], [(.ingress, .allow, Self.web, .all)])]))
        #expect(!finds(.icmpBlocked, in: [api(closes: [.ingress], [])]))
    }

    @Test func `a host policy without SSH from outside locks out, unless a failsafe port is known`() {
        func host(_ rules: [(Direction, RuleAction, PeerSelection, PortSelection)]) -> [Policy] {
            var policy = api(closes: [.ingress], rules)
            for index in policy.rules.indices { policy.rules[index].subject = .hosts(LabelSelector()) }
            policy.defaultDeny[0].subject = .hosts(LabelSelector())
            return [policy]
        }
        let ssh = PortSelection.some([.range(.tcp, 22...22)])
        let failsafe = LintSurroundings(openPorts: [.init(direction: .ingress, proto: .tcp, port: 22)])
        #expect(finds(.hostAccessCut, in: host([(.ingress, .allow, .any, Self.http)])))
        #expect(!finds(.hostAccessCut, in: host([(.ingress, .allow, .any, Self.http)]), failsafe))
        let severity = { (surroundings: LintSurroundings) in
            PolicyReview(host([]), surroundings).run().findings.first?.diagnostic.severity
        }
        #expect(severity(LintSurroundings()) == .note)
        #expect(severity(LintSurroundings(openPorts: [])) == .warning)
        #expect(severity(LintSurroundings(openPorts: [], isHostEndpoint: true)) == .warning)
        #expect(severity(LintSurroundings(openPorts: [], isHostEndpoint: false)) == nil, "nothing is in force there")
        #expect(!finds(.hostAccessCut, in: host([(.ingress, .allow, .some([Self.everyoneV4]), ssh)])))
        let workloads = PeerSelection.some([.labels(LabelSelector([Self.namespace]))])
        #expect(finds(.hostAccessCut, in: host([(.ingress, .allow, workloads, ssh)])), "not from outside")
        #expect(finds(.hostAccessCut, in: host([(.ingress, .allow, .any, ssh), (.ingress, .deny, .any, ssh)])))
    }

    // MARK: One rule, one policy

    @Test func `everyone over one IP family only is told, louder where it denies`() {
        func severity(_ action: RuleAction, _ peers: [PeerSelector]) -> Diagnostic.Severity? {
            PolicyReview([api(closes: [], [(.egress, action, .some(peers), .all)])]).run().findings
                .first { $0.diagnostic.code == .oneFamilyOnly }?.diagnostic.severity
        }
        #expect(severity(.deny, [Self.everyoneV4]) == .warning)
        #expect(severity(.allow, [Self.everyoneV6]) == .note)
        #expect(severity(.deny, [Self.everyoneV4, Self.everyoneV6]) == nil)
    }

    @Test func `a policy that nothing depends on has no effect`() {
        #expect(finds(.noEffect, in: [api(closes: [], [(.ingress, .allow, .some([]), .all)])]))
        #expect(finds(.noEffect, in: [api(closes: [], [])]))
        #expect(!finds(.noEffect, in: [api(closes: [.ingress], [(.ingress, .allow, .some([]), .all)])]))
    }

    @Test func `a policy whose time is over is told, and has no say about others`() {
        var deny = api("deny", closes: [], [(.ingress, .deny, .any, .all)])
        let allow = api("allow", closes: [.ingress], [(.ingress, .allow, Self.web, .all)])
        deny.validUntil = 1000
        #expect(codes([deny, allow], LintSurroundings(now: 999)) == [.unreachable])
        #expect(codes([deny, allow], LintSurroundings(now: 1000)) == [.lapsed])
        #expect(codes([deny, allow]) == [.unreachable], "no clock, no end")
    }

    // MARK: Workloads

    private func party(_ app: String, ports: NamedPorts = NamedPorts()) -> VerdictComparison.Party {
        .init(name: app, side: ExplainedSide(labels: .app(app), namedPorts: ports))
    }

    @Test func `what one end allows and the other denies is told at the rule`() {
        let parties = LintSurroundings(workloads: [party("api"), party("web")])
        let toWeb = api(closes: [], [(.egress, .allow, Self.web, Self.http)])
        let closed = Policy.test("closed", for: "web", rules: [])
        #expect(finds(.otherEndDenies, in: [toWeb, closed], parties))
        #expect(!finds(.otherEndDenies, in: [toWeb, closed]), "nobody to ask")
        #expect(!finds(.otherEndDenies, in: [toWeb], parties))
        let other = Policy.test(
            "other", for: "web",
            rules: [(.ingress, .allow, .some([.labels(.app("api"))]), .some([.range(.tcp, 81...81)]))])
        #expect(finds(.otherEndDenies, in: [toWeb, other], parties), "another port")
        let all = api(closes: [], [(.egress, .allow, Self.web, .all)])
        #expect(!finds(.otherEndDenies, in: [all, other], parties), "some of it passes")
    }

    @Test func `questions about other ends are bounded, and what was not asked is counted`() {
        var surroundings = LintSurroundings(workloads: [party("api"), party("web")])
        surroundings.questionsMax = 0
        let toWeb = api(closes: [], [(.egress, .allow, Self.web, Self.http)])
        #expect(PolicyReview([toWeb], surroundings).run().unjudgedRules == 1)
    }

    @Test func `a declared port that nobody may reach is told`() {
        let ports = NamedPorts([NamedPort(proto: .tcp, name: "http"): [80]])
        let parties = LintSurroundings(workloads: [party("api", ports: ports)])
        #expect(finds(.declaredPortClosed, in: [api(closes: [.ingress], [])], parties))
        #expect(!finds(.declaredPortClosed, in: [api(closes: [.egress], [])], parties))
        let named = PortSelection.some([.named(.tcp, "http")])
        #expect(!finds(.declaredPortClosed, in: [api(closes: [.ingress], [(.ingress, .allow, .any, named)])], parties))
        let other = PortSelection.some([.range(.tcp, 81...81)])
        #expect(finds(.declaredPortClosed, in: [api(closes: [.ingress], [(.ingress, .allow, .any, other)])], parties))
    }

    // MARK: Exemptions

    @Test func `a finding that is meant carries the reason, and an exemption that nothing needs is noted`() {
        var policy = api(closes: [.ingress], [(.ingress, .allow, Self.web, Self.http)])
        policy.lintExemptions = [.icmpBlocked: "nobody pings it"]
        let findings = PolicyReview([policy]).run().findings
        #expect(findings.map(\.exemption) == ["nobody pings it"])
        policy.lintExemptions[.dnsBlocked] = "not needed"
        #expect(!finds(.unusedExemption, in: [policy]), "other policies may make it needed")
        policy.lintExemptions[.noEffect] = "not needed"
        #expect(finds(.unusedExemption, in: [policy]))
        policy.lintExemptions[.noEffect] = nil
        policy.lintExemptions[.otherEndDenies] = "depends on workloads"
        #expect(!finds(.unusedExemption, in: [policy]))
    }

    @Test func `thousands of policies are reviewed in a few seconds`() {
        let policies = (0..<2000).map { number in
            Policy.test(
                "p\(number)", for: "app\(number)", closes: [.ingress, .egress],
                rules: [(.ingress, .allow, Self.web, Self.http), (.egress, .allow, Self.web, Self.http)])
        }
        let begin = ContinuousClock.now
        #expect(PolicyReview(policies).run().findings.count == 4000, "DNS and ping of each")
        #expect(ContinuousClock.now - begin < .seconds(20))
    }
}
