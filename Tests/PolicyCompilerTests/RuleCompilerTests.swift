// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyCompiler
import PolicyModel
import Testing

@Suite struct RuleCompilerTests {
    private func compile(_ policies: [Policy], apiPorts: NamedPorts = NamedPorts()) -> CompileOutput {
        var registry = RuleRegistry()
        return RuleCompiler.compile(.shop(policies, apiPorts: apiPorts), registry: &registry)
    }

    @Test func `a policy becomes these entries`() {
        let policy = Policy.test(
            "api", for: "api",
            rules: [
                (.ingress, .allow, .some([.labels(.app("web"))]), .some([.range(.tcp, 443...443)])),
                (.ingress, .deny, .any, .some([.icmpType(.icmp, 8)])),
                (
                    .ingress, .allow,
                    .some([.prefix(CIDR(IPAddress(v4: 0xc000_0000), length: 16), except: [], includesWorkloads: false)]
                    ),
                    .some([.range(.udp, 1024...3071)])
                ),
                (.ingress, .allow, .some([]), .all),
            ])
        #expect(
            compile([policy]).state.lines() == [
                "subject 1 ingress default deny by CiliumNetworkPolicy/shop/api",
                "subject 1 ingress any icmp/8 -> deny CiliumNetworkPolicy/shop/api ingress[1]",
                "subject 1 ingress host all -> allow host access",
                "subject 1 ingress 1002 tcp/443 -> allow CiliumNetworkPolicy/shop/api ingress[0]",
                "subject 1 ingress 16777216 udp/1024-2047 -> allow CiliumNetworkPolicy/shop/api ingress[2]",
                "subject 1 ingress 16777216 udp/2048-3071 -> allow CiliumNetworkPolicy/shop/api ingress[2]",
            ])
    }

    @Test func `an audited policy stands beside what is enforced`() {
        let allow = Policy.test("open", for: "api", rules: [(.ingress, .allow, .some([.labels(.app("web"))]), .all)])
        let deny = Policy.test(
            "strict", for: "api", isAudit: true, rules: [(.ingress, .deny, .some([.labels(.app("web"))]), .all)])
        #expect(
            compile([allow, deny]).state.lines() == [
                "subject 1 ingress default deny by CiliumNetworkPolicy/shop/open",
                "subject 1 ingress host all -> allow host access",
                "subject 1 ingress 1002 all -> allow CiliumNetworkPolicy/shop/open ingress[0], "
                    + "audit deny CiliumNetworkPolicy/shop/strict ingress[0]",
            ])
        #expect(
            compile([deny]).state.lines().first
                == "subject 1 ingress audit default deny by CiliumNetworkPolicy/shop/strict")
    }

    @Test func `a port name means the subject's number on ingress and the peer's on egress`() {
        let http = PortSelection.some([.named(.tcp, "http")])
        let policies = [
            Policy.test("in", for: "api", rules: [(.ingress, .allow, .any, http)]),
            Policy.test(
                "out", for: "web", closes: [.egress], rules: [(.egress, .allow, .some([.labels(.app("api"))]), http)]),
        ]
        let lines = compile(policies, apiPorts: NamedPorts([NamedPort(proto: .tcp, name: "http"): [8080]])).state
            .lines()
        #expect(lines.contains("subject 1 ingress any tcp/8080 -> allow CiliumNetworkPolicy/shop/in ingress[0]"))
        #expect(lines.contains("subject 2 egress 1001 tcp/8080 -> allow CiliumNetworkPolicy/shop/out egress[0]"))
    }

    @Test func `a port name towards anyone opens or closes it at every peer that has it, and nowhere else`() {
        let name = NamedPort(proto: .tcp, name: "http")
        let ports: PortSelection = .some([.named(.tcp, "http"), .range(.udp, 53...53)])
        let policies = [
            Policy.test("out", for: "web", closes: [.egress], rules: [(.egress, .allow, .any, ports)]),
            Policy.test("deny", for: "api", closes: [], rules: [(.egress, .deny, .any, .some([.named(.tcp, "http")]))]),
        ]
        #expect(
            compile(policies, apiPorts: NamedPorts([name: [8080]])).state.lines().filter { $0.contains(" egress ") }
                == [
                    "subject 2 egress default deny by CiliumNetworkPolicy/shop/out",
                    "subject 1 egress 1001 tcp/8080 -> deny CiliumNetworkPolicy/shop/deny egress[0]",
                    "subject 2 egress any udp/53 -> allow CiliumNetworkPolicy/shop/out egress[0]",
                    "subject 2 egress 1001 tcp/8080 -> allow CiliumNetworkPolicy/shop/out egress[0]",
                ])
    }

    @Test func `a port name towards anyone follows the peers that come, change their number, and go`() {
        let name = NamedPort(proto: .tcp, name: "http")
        let compiler = RuleCompiler()
        compiler.update(
            to: .shop([.test("out", for: "web", rules: [(.egress, .deny, .any, .some([.named(.tcp, "http")]))])]))
        func peer(_ numbers: Set<UInt16>) -> ResolvedIdentity {
            ResolvedIdentity(
                identity: NumericIdentity(rawValue: 1003), labels: .app("db"), isWorkload: true,
                namedPorts: NamedPorts([name: numbers]))
        }
        func egress() -> [String] { compiler.mapState().lines().filter { $0.contains(" egress ") } }
        func line(_ port: Int) -> String {
            "subject 2 egress 1003 tcp/\(port) -> deny CiliumNetworkPolicy/shop/out egress[0]"
        }
        #expect(egress() == [])
        compiler.setPeer(peer([80]))
        #expect(egress() == [line(80)])
        compiler.setPeer(peer([443, 8080]))
        #expect(egress() == [line(443), line(8080)])
        compiler.removePolicy(PolicyReference(kind: "CiliumNetworkPolicy", namespace: "shop", name: "out"))
        compiler.setPeer(peer([80]))
        #expect(egress() == [])
        compiler.setPolicies([.test("out", for: "web", rules: [(.egress, .deny, .any, .some([.named(.tcp, "http")]))])])
        #expect(egress() == [line(80)])
        compiler.removePeer(NumericIdentity(rawValue: 1003))
        #expect(egress() == [])
    }

    @Test func `a port name that nobody has is reported for a rule towards anyone too`() {
        let policies = [
            Policy.test("out", for: "web", rules: [(.egress, .deny, .any, .some([.named(.tcp, "http")]))])
        ]
        func kinds(_ numbers: Set<UInt16>) -> [RuleDiagnostic.Kind] {
            let ports = NamedPorts(numbers.isEmpty ? [:] : [NamedPort(proto: .tcp, name: "http"): numbers])
            return compile(policies, apiPorts: ports).diagnostics.map(\.kind)
        }
        #expect(kinds([]) == [.namedPortUndefined])
        #expect(kinds([80]) == [])
        #expect(kinds([80, 81]) == [.namedPortConflicting])
    }

    @Test func `rules that do not do what they seem to do are reported`() {
        let prefix = CIDR(IPAddress(v4: 0x0a00_0000), length: 8)
        let policies = [
            Policy.test("nobody", for: "nothing", rules: [(.ingress, .allow, .any, .all)]),
            Policy.test(
                "peers", for: "api",
                rules: [
                    (.ingress, .allow, .some([.labels(.app("missing"))]), .all),
                    (.ingress, .allow, .any, .some([.named(.tcp, "nowhere")])),
                    (.ingress, .allow, .any, .some([.named(.tcp, "http")])),
                    (.ingress, .allow, .some([.prefix(prefix, except: [], includesWorkloads: false)]), .all),
                ]),
        ]
        let compiler = RuleCompiler()
        compiler.update(
            to: .shop(policies, apiPorts: NamedPorts([NamedPort(proto: .tcp, name: "http"): [80, 8080]])))
        let found = compiler.diagnostics(workloadAddresses: [IPAddress(v4: 0x0a01_0203)])
        #expect(
            found.map { "\($0.origin.policy.name)[\($0.origin.index)] \($0.kind.rawValue)" } == [
                "nobody[0] selects-no-endpoint", "peers[0] peer-selects-nothing", "peers[1] named-port-undefined",
                "peers[2] named-port-conflicting", "peers[3] peer-selects-nothing",
                "peers[3] prefix-misses-workloads",
            ])
        #expect(found[1].description.hasPrefix("peers.yaml:10:3: CiliumNetworkPolicy/shop/peers ingress[0]: the peers"))
    }

    @Test func `a policy that moves to another line keeps its numbers and changes no entry`() {
        var policy = Policy.test("api", for: "api", rules: [(.ingress, .allow, .any, .some([.range(.tcp, 80...80)]))])
        let compiler = RuleCompiler()
        compiler.update(to: .shop([policy]))
        _ = compiler.takeChanges()
        let origin = policy.rules[0].origin
        policy.rules[0].origin = RuleOrigin(
            policy: origin.policy, section: origin.section, index: origin.index,
            source: SourceLocation(file: "api.yaml", line: 99, column: 3))
        compiler.update(to: .shop([policy]))
        let changes = compiler.takeChanges()
        #expect(changes.policySettings.isEmpty && changes.policyRemovals.isEmpty && changes.subjectSettings.isEmpty)
        #expect(changes.ruleSettings.values.map { $0 } == [.rule(policy.rules[0].origin)])
    }

    @Test func `a diff names what comes, goes and changes`() {
        let web = PeerSelection.some([.labels(.app("web"))])
        let compiler = RuleCompiler()
        compiler.update(
            to: .shop([.test("a", for: "api", rules: [(.ingress, .allow, web, .some([.range(.tcp, 80...81)]))])]))
        var state = MapState()
        state.apply(compiler.takeChanges())
        compiler.update(
            to: .shop([
                .test(
                    "a", for: "api", closes: [],
                    rules: [(.ingress, .deny, web, .some([.range(.tcp, 80...81), .range(.udp, 53...53)]))])
            ]))
        #expect(
            compiler.takeChanges().lines(from: state) == [
                "- subject 1 ingress default deny by CiliumNetworkPolicy/shop/a",
                "- subject 1 ingress host all -> allow host access",
                "~ subject 1 ingress 1002 tcp/80-81: allow CiliumNetworkPolicy/shop/a ingress[0] "
                    + "-> deny CiliumNetworkPolicy/shop/a ingress[0]",
                "+ subject 1 ingress 1002 udp/53 -> deny CiliumNetworkPolicy/shop/a ingress[0]",
            ])
    }

    @Test func `single changes and whole inputs may be mixed`() {
        let input = CompilerWorkload(policyCount: 30, subjectCount: 10, identityCount: 60).input()
        let compiler = RuleCompiler()
        compiler.update(to: input)
        let before = compiler.mapState().lines()
        compiler.removePolicy(input.policies[3].reference)
        compiler.removePeer(input.peers[5].identity)
        compiler.removeSubject(input.subjects[7].slot)
        compiler.setPolicies([.test("extra", for: "app-1", rules: [(.ingress, .allow, .any, .all)])])
        #expect(compiler.mapState().lines() != before)
        compiler.update(to: input)
        #expect(compiler.mapState().lines() == before)
    }

    @Test
    func `a subject that goes and comes within one change leaves the tables as a compilation from nothing has them`() {
        let input = CompilerWorkload(policyCount: 30, subjectCount: 10, identityCount: 60).input()
        let compiler = RuleCompiler()
        compiler.update(to: input)
        var state = MapState()
        state.apply(compiler.takeChanges())
        let before = state.lines()
        for (index, subject) in input.subjects.enumerated() {
            // Some stay away, some return as they were, some as others.
            compiler.removeSubject(subject.slot)
            let other = input.subjects[(index + 1) % input.subjects.count]
            if index % 3 > 0 { compiler.setSubject(index % 3 == 1 ? subject : other.moved(to: subject.slot)) }
        }
        compiler.removePolicy(input.policies[3].reference)
        state.apply(compiler.takeChanges())
        #expect(state.lines() == compiler.mapState().lines() && state.lines() != before)
        for subject in input.subjects { compiler.setSubject(subject) }
        compiler.setPolicies([input.policies[3]])
        state.apply(compiler.takeChanges())
        #expect(state.lines() == before)
    }

    @Test func `a large workload compiles to the same state in any order`() {
        let input = CompilerWorkload(policyCount: 60, subjectCount: 40, identityCount: 200).input()
        var reordered = input
        reordered.policies.reverse()
        reordered.peers.reverse()
        var first = RuleRegistry()
        var second = RuleRegistry()
        let lines = RuleCompiler.compile(input, registry: &first).state.lines()
        #expect(lines.count > 500)
        #expect(lines == RuleCompiler.compile(reordered, registry: &second).state.lines())
    }
}

extension CompileSubject {
    /// The same in another slot.
    fileprivate func moved(to slot: UInt16) -> CompileSubject {
        CompileSubject(slot: slot, identity: identity, labels: labels, isHost: isHost, namedPorts: namedPorts)
    }
}
