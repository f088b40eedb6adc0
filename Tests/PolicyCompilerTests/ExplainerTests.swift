// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyCompiler
import PolicyModel
import Testing

@Suite struct ExplainerTests {
    private let api = ExplainedSide(labels: .app("api"), address: IPAddress(v4: 0x0a00_0001))
    private let web = ExplainedSide(labels: .app("web"), address: IPAddress(v4: 0x0a00_0002))
    private let intruder = ExplainedSide(labels: .app("intruder"))
    private let https = PortSelection.some([.range(.tcp, 443...443)])

    private var policies: [Policy] {
        [
            .test(
                "api", for: "api",
                rules: [
                    (.ingress, .allow, .some([.labels(.app("web"))]), https),
                    (.ingress, .allow, .some([.labels(.app("admin"))]), .all),
                ]),
            .test("block", for: "api", rules: [(.ingress, .deny, .some([.labels(.app("intruder"))]), .all)]),
            .test("wide", for: "api", rules: [(.ingress, .allow, .any, .some([.range(.tcp, 1...1023)]))]),
        ]
    }

    private func explain(_ from: ExplainedSide, _ port: UInt16) -> Explanation {
        Explainer(policies: policies).explain(from: from, to: api, proto: .tcp, port: port)
    }

    private func outcomes(_ side: Explanation.Side?) -> [String] {
        side?.findings.map { "\($0.rule.policy.name)[\($0.rule.index)] \($0.outcome.rawValue)" } ?? []
    }

    @Test func `the most specific rule decides and the others are listed`() {
        let found = explain(web, 443)
        #expect(found.verdict == .allow)
        #expect(found.egress?.cause == nil)
        #expect(
            outcomes(found.ingress)
                == [
                    "api[0] decides", "api[1] differs-peer", "block[0] differs-peer", "wide[0] matches",
                ].map { $0.replacing("differs-peer", with: "peer-differs") })
    }

    @Test func `a workload that does not exist is denied by the rule that covers what would allow it`() {
        let found = explain(intruder, 443)
        #expect(found.verdict == .deny)
        #expect(found.ingress?.cause?.text == "CiliumNetworkPolicy/shop/block ingress[0]")
        #expect(
            outcomes(found.ingress) == [
                "api[0] peer-differs", "api[1] peer-differs", "block[0] decides", "wide[0] covered-by-deny",
            ])
    }

    @Test func `default deny names the policies that close the direction`() {
        let found = explain(web, 8443)
        #expect(found.verdict == .deny)
        #expect(found.ingress?.closedBy.map(\.name) == ["api", "block", "wide"])
        #expect(
            found.ingress?.cause?.text
                == "CiliumNetworkPolicy/shop/api, CiliumNetworkPolicy/shop/block, CiliumNetworkPolicy/shop/wide")
        #expect(outcomes(found.ingress).first == "api[0] port-differs")
    }

    @Test func `the host enters unless a rule denies it, and an endpoint always reaches itself`() {
        let host = ExplainedSide.host(IPAddress(v4: 0x0a00_00fe), isEndpoint: false)
        let strict = Policy.test("strict", for: "api", rules: [(.ingress, .deny, .any, https)])
        let explainer = Explainer(policies: [strict])
        #expect(explainer.explain(from: host, to: api, proto: .tcp, port: 80).ingress?.cause?.text == "host access")
        #expect(explainer.explain(from: host, to: api, proto: .tcp, port: 443).verdict == .deny)
        #expect(explainer.explain(from: api, to: api, proto: .tcp, port: 443).ingress?.cause?.text == "self")
    }

    @Test func `an audited policy turns allow into audit and names itself`() {
        let watch = Policy.test("watch", for: "api", isAudit: true, rules: [])
        let found = Explainer(policies: [watch]).explain(from: web, to: api, proto: .udp, port: 53)
        #expect(found.verdict == .audit)
        #expect(found.ingress?.cause?.text == "CiliumNetworkPolicy/shop/watch")
    }

    @Test func `at an endpoint in audit mode a denial is an audit, and the other end still denies`() {
        var watched = api
        watched.isAudited = true
        let explainer = Explainer(policies: policies + [.test("out", for: "web", closes: [.egress], rules: [])])
        let found = explainer.explain(from: intruder, to: watched, proto: .tcp, port: 443)
        #expect(found.verdict == .audit && found.ingress?.verdict == .audit)
        #expect(found.ingress?.cause?.text == "CiliumNetworkPolicy/shop/block ingress[0]")
        #expect(explainer.explain(from: web, to: watched, proto: .tcp, port: 8443).verdict == .deny)
    }

    @Test func `egress means the names of all endpoints with the labels, ingress the endpoint's own`() {
        let http = NamedPort(proto: .tcp, name: "http")
        var twin = api
        twin.namedPorts = NamedPorts([http: [80]])
        twin.sharedPorts = NamedPorts([http: [80, 8080]])
        let named = PortSelection.some([.named(.tcp, "http")])
        let explainer = Explainer(policies: [
            .test("in", for: "api", rules: [(.ingress, .allow, .any, named)]),
            .test("out", for: "web", closes: [.egress], rules: [(.egress, .allow, .any, named)]),
        ])
        let found = explainer.explain(from: web, to: twin, proto: .tcp, port: 80)
        #expect(found.ingress?.verdict == .allow && found.egress?.verdict == .deny)
    }

    @Test func `policies that select neither side may be left out`() {
        let sides = [web, api]
        let other = Policy.test("other", for: "other", rules: [])
        let explainer = Explainer(policies: policies + [other])
        #expect(
            explainer.focused(on: sides).explain(from: web, to: api, proto: .tcp, port: 443)
                == explainer.explain(from: web, to: api, proto: .tcp, port: 443))
        #expect(explainer.focused(on: [web]).explain(from: web, to: api, proto: .tcp, port: 9).verdict == .allow)
    }
}
