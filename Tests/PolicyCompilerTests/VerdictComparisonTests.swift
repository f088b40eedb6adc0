// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyCompiler
import PolicyModel
import Testing

@Suite struct VerdictComparisonTests {
    private static func party(_ name: String, _ app: String, _ number: UInt32) -> VerdictComparison.Party {
        .init(name: name, side: ExplainedSide(labels: .app(app), address: IPAddress(v4: 0x0a00_0000 + number)))
    }

    private let parties = [party("web", "web", 1), party("db", "db", 2), party("cache", "cache", 3)]

    private func lines(
        _ before: [Policy], _ after: [Policy], parties: [VerdictComparison.Party]? = nil, limit: Int = 99
    ) -> [String] {
        VerdictComparison(before: before, after: after, parties: parties ?? self.parties).run(limit: limit).changes
            .map { "\($0.from) -> \($0.to) \($0.traffic): \($0.before) becomes \($0.after) \($0.reason)" }
    }

    private func db(_ rules: [(Direction, RuleAction, PeerSelection, PortSelection)]) -> Policy {
        .test("db", for: "db", rules: rules)
    }

    private let sql = PortSelection.some([.range(.tcp, 5432...5432)])
    private let closed = "because no ingress rule of CiliumNetworkPolicy/shop/db allows it"

    @Test func `a policy that closes a workload is told by who loses what`() {
        let policy = db([(.ingress, .allow, .some([.labels(.app("web"))]), sql)])
        #expect(
            lines([], [policy]) == [
                "web -> db everything but tcp/5432: allow becomes deny \(closed)",
                "cache -> db everything: allow becomes deny \(closed)",
                "world -> db everything: allow becomes deny \(closed)",
            ])
        #expect(
            lines([policy], []).prefix(2) == [
                "web -> db everything but tcp/5432: deny becomes allow because no policy selects db in this direction",
                "cache -> db everything: deny becomes allow because no policy selects db in this direction",
            ])
        #expect(lines([policy], [policy]).isEmpty)
    }

    @Test func `a rule that comes or goes is told by its traffic alone`() {
        let before = db([(.ingress, .allow, .some([.labels(.app("web"))]), sql)])
        let after = db([
            (.ingress, .allow, .some([.labels(.app("web"))]), .some([.range(.tcp, 80...89), .icmpType(.icmp, 8)]))
        ])
        #expect(
            lines([before], [after]) == [
                "web -> db icmp/8, tcp/80-89: deny becomes allow by CiliumNetworkPolicy/shop/db ingress[0]",
                "web -> db tcp/5432: allow becomes deny \(closed)",
            ])
        let block = Policy.test("block", for: "web", closes: [], rules: [(.egress, .deny, .any, sql)])
        #expect(
            lines([before], [before, block]) == [
                "web -> db tcp/5432: allow becomes deny by CiliumNetworkPolicy/shop/block egress[0]",
                "web -> cache tcp/5432: allow becomes deny by CiliumNetworkPolicy/shop/block egress[0]",
                "web -> world tcp/5432: allow becomes deny by CiliumNetworkPolicy/shop/block egress[0]",
            ])
    }

    @Test func `networks are judged without the smaller ones inside them`() throws {
        func out(_ text: String...) throws -> Policy {
            let prefixes = try text.map { try #require(CIDR($0)) }
            let peer = PeerSelector.prefix(prefixes[0], except: Array(prefixes.dropFirst()), includesWorkloads: false)
            return .test("db", for: "db", closes: [.egress], rules: [(.egress, .allow, .some([peer]), .all)])
        }
        let by = "by CiliumNetworkPolicy/shop/db egress[0]"
        #expect(
            lines([try out("192.0.2.0/24")], [try out("192.0.0.0/16", "192.0.2.128/25")]) == [
                "db -> world 192.0.0.0/16 everything: deny becomes allow \(by)",
                "db -> world 192.0.2.128/25 everything: allow becomes deny because no egress rule of "
                    + "CiliumNetworkPolicy/shop/db allows it",
            ])
    }

    private func names(_ texts: [String], _ action: RuleAction = .allow) throws -> (
        Direction, RuleAction, PeerSelection, PortSelection
    ) {
        let peers = try texts.map { PeerSelector.name(try #require(NameSelector($0))) }
        return (.egress, action, .some(peers), .some([.range(.tcp, 443...443)]))
    }

    @Test func `names are told as the rules have them, and only as destinations`() throws {
        func web(_ name: String, _ texts: String...) throws -> Policy {
            .test(name, for: "web", closes: [.egress], rules: [try names(texts)])
        }
        let by = "by CiliumNetworkPolicy/shop/web egress[0]"
        let closes = "because no egress rule of CiliumNetworkPolicy/shop/web allows it"
        #expect(
            lines([try web("web", "a.test")], [try web("web", "*.a.test", "**.b.test")]) == [
                "web -> a.test tcp/443: allow becomes deny \(closes)",
                "web -> *.a.test tcp/443: deny becomes allow \(by)",
                "web -> **.b.test tcp/443: deny becomes allow \(by)",
            ])
        // What a wider pattern permitted already does not change.
        #expect(lines([try web("web", "**.test")], [try web("web", "**.test", "x.test", "*.y.test")]).isEmpty)
        let deny = Policy.test("block", for: "web", closes: [], rules: [try names(["bad.a.test"], .deny)])
        #expect(
            lines([try web("web", "*.a.test")], [try web("web", "*.a.test"), deny]) == [
                "web -> bad.a.test tcp/443: allow becomes deny by CiliumNetworkPolicy/shop/block egress[0]"
            ])
    }

    @Test func `where all of a family is open already a name changes nothing in it`() throws {
        let all = (
            Direction.egress, RuleAction.allow,
            PeerSelection.some([.prefix(.allIPv4, except: [], includesWorkloads: false)]), PortSelection.all
        )
        let before = Policy.test("web", for: "web", closes: [.egress], rules: [all])
        let after = Policy.test("web", for: "web", closes: [.egress], rules: [all, try names(["*"])])
        #expect(
            lines([before], [after]) == [
                "web -> * over IPv6 tcp/443: deny becomes allow by CiliumNetworkPolicy/shop/web egress[1]"
            ])
    }

    @Test func `more names than anybody reads are counted, those of the change first`() throws {
        let many = Policy.test(
            "many", for: "web", closes: [.egress], rules: [try names((0..<100).map { "n\($0).test" })])
        let one = Policy.test("one", for: "web", closes: [.egress], rules: [try names(["z.test"])])
        let result = VerdictComparison(before: [many], after: [many, one], parties: parties).run(limit: 9)
        #expect(result.changes.map(\.to) == ["z.test"])
        #expect(result.unjudgedPairs == 37)
    }

    /// The same, read from another file where it stands further down.
    private func moved(_ policy: Policy) -> Policy {
        var moved = policy
        moved.source = SourceLocation(file: "new.yaml", line: policy.source.line + 7, column: 1)
        for index in moved.rules.indices {
            let origin = policy.rules[index].origin
            moved.rules[index].origin = RuleOrigin(
                policy: origin.policy, section: origin.section, index: origin.index,
                source: SourceLocation(file: "new.yaml", line: origin.source.line + 7, column: 3))
        }
        return moved
    }

    @Test func `where a policy stands makes no difference, however many there are`() throws {
        func one(_ number: Int, port: UInt16) -> Policy {
            let peers = PeerSelection.some([.labels(.app("web"))])
            return .test(
                "p\(number)", for: "app\(number)",
                rules: [(.ingress, .allow, peers, .some([.range(.tcp, port...port)]))])
        }
        let parties =
            (260..<320).map { Self.party("app\($0)", "app\($0)", UInt32($0)) } + [Self.party("web", "web", 999)]
        let before = (0..<320).map { one($0, port: 80) }
        #expect(before[3] != moved(before[3]) && before[3].saysTheSame(as: moved(before[3])))
        let same = VerdictComparison(before: before, after: before.map(moved), parties: parties).run(limit: 9)
        #expect(same.judgements == 0 && same.total == 0 && same.unjudgedPairs == 0, "nothing differs")
        let after = before.dropLast().map(moved) + [moved(one(319, port: 81))]
        let result = VerdictComparison(before: before, after: after, parties: parties).run(limit: 9)
        #expect(
            result.changes.map { "\($0.from) -> \($0.to) \($0.traffic)" } == [
                "web -> app319 tcp/80", "web -> app319 tcp/81",
            ])
        #expect(result.unjudgedPairs == 0)
        // With everybody, both ways, for each kind of traffic before and after.
        #expect(result.judgements > 0 && result.judgements < 61 * 2 * 6 * 2, "\(result.judgements)")
    }

    @Test func `exemptions and ends are no verdicts, other rules and orders are`() {
        let policy = db([(.ingress, .allow, .some([.labels(.app("web"))]), sql)])
        var exempt = moved(policy)
        exempt.lintExemptions = [.duplicatePolicy: "known"]
        exempt.validUntil = 4_000_000_000
        #expect(VerdictComparison(before: [policy], after: [exempt], parties: parties).run(limit: 9).judgements == 0)
        #expect(!policy.saysTheSame(as: exempt))
        var other = moved(policy)
        other.rules[0].action = .deny
        #expect(!policy.saysTheSame(as: other))
        #expect(lines([policy], [other]).count == 1)
        other = moved(policy)
        other.order = .priority(3)
        #expect(!policy.saysTheSame(as: other))
    }

    @Test func `workloads of other hosts are peers, judged last and not among each other`() {
        func remote(_ name: String, _ app: String, _ number: UInt32) -> VerdictComparison.Party {
            var side = Self.party(name, app, number).side
            side.isEndpoint = false
            return .init(name: name, side: side)
        }
        let others = [remote("far", "web", 50), remote("far cache", "cache", 51)]
        let policy = db([(.ingress, .allow, .some([.labels(.app("web"))]), .all)])
        #expect(
            lines([], [policy], parties: others + [parties[1]]) == [
                "world -> db everything: allow becomes deny \(closed)",
                "far cache -> db everything: allow becomes deny \(closed)",
            ])
        // A policy that would select one of them is the other host's business.
        #expect(lines([], [.test("web", for: "web", rules: [])], parties: others).isEmpty)
        // Where questions are few, those of this host get them.
        let all = VerdictComparison(before: [], after: [policy], parties: others + parties)
        let judgements = VerdictComparison(before: [], after: [policy], parties: parties).run(limit: 0).judgements
        let short = VerdictComparison(
            before: [], after: [policy], parties: others + parties, judgementsMax: judgements
        ).run(limit: 9)
        #expect(short.changes.map(\.from) == ["cache", "world"] && short.unjudgedPairs == 4)
        #expect(all.run(limit: 9).changes.map(\.from) == ["cache", "world", "far cache"])
    }

    @Test func `replicas are judged once, named each, and bounded`() {
        let many = (0..<40).map { Self.party("web-\($0)", "web", $0) } + [Self.party("db", "db", 99)]
        let result = VerdictComparison(before: [], after: [db([])], parties: many).run(limit: 5)
        #expect(result.total == 41 && result.changes.count == 5 && result.unjudgedPairs == 0)
        #expect(result.changes.map(\.from) == (0..<5).map { "web-\($0)" })
        // Between replicas, but not from one to itself.
        let closed = Policy.test("web", for: "web", rules: [])
        #expect(VerdictComparison(before: [], after: [closed], parties: many).run(limit: 0).total == 40 * 39 + 2 * 40)
        let tired = VerdictComparison(before: [], after: [db([])], parties: many, judgementsMax: 0).run(limit: 5)
        #expect(tired.total == 0 && tired.unjudgedPairs == 82)
    }

    @Test func `ports of the host that nothing closes do not change`() {
        var side = ExplainedSide.host(IPAddress(v4: 1), isEndpoint: true)
        side.openPorts = [OpenPort(direction: .ingress, proto: .tcp, port: 22)]
        let host = VerdictComparison.Party(name: "host", side: side)
        let location = SourceLocation(file: "h.yaml", line: 1, column: 1)
        let policy = Policy(
            reference: PolicyReference(kind: "K", namespace: "", name: "h"), source: location, rules: [],
            defaultDeny: [DefaultDeny(subject: .hosts(LabelSelector([])), direction: .ingress)])
        let changes = VerdictComparison(before: [], after: [policy], parties: [host]).run(limit: 9).changes
        #expect(changes.map(\.traffic) == ["everything but tcp/22"])
        // The explanation knows them from the same place.
        let explainer = Explainer(policies: [policy])
        let causes = [UInt16(22), 23].map { port in
            explainer.explain(from: .world(nil), to: side, proto: .tcp, port: port).ingress?.cause?.nameText
        }
        #expect(causes == ["failsafe", "no ingress rule of K/h"])
    }

    @Test func `the host is left out where traffic crosses none of its devices`() {
        let host = VerdictComparison.Party(name: "host", side: .host(IPAddress(v4: 1), isEndpoint: true))
        let sides = [true, false].map { crosses in
            VerdictComparison.Party(
                name: crosses ? "bridged" : "apart",
                side: ExplainedSide(labels: .app("web"), crossesHostDevice: crosses))
        }
        let location = SourceLocation(file: "h.yaml", line: 1, column: 1)
        let policy = Policy(
            reference: PolicyReference(kind: "K", namespace: "", name: "h"), source: location, rules: [],
            defaultDeny: [DefaultDeny(subject: .hosts(LabelSelector([])), direction: .ingress)])
        let changes = VerdictComparison(before: [], after: [policy], parties: [host] + sides).run(limit: 9).changes
        #expect(changes.map(\.from) == ["bridged", "world"])
        let explainer = Explainer(policies: [policy])
        #expect(explainer.explain(from: sides[0].side, to: host.side, proto: .tcp, port: 1).verdict == .deny)
        #expect(explainer.explain(from: sides[1].side, to: host.side, proto: .tcp, port: 1).ingress == nil)
        // Nor does what it sends to itself cross one, but services are judged at their sockets.
        var service = host.side
        service.isService = true
        #expect(explainer.explain(from: service, to: host.side, proto: .tcp, port: 1).ingress == nil)
        #expect(
            explainer.explain(from: .host(nil, isEndpoint: false), to: service, proto: .tcp, port: 1).verdict == .deny)
    }

    @Test func `what a stage of the host judges is told by its peers outside`() throws {
        let stage = HostStage.forward
        let role = Label(source: LabelSource.kubernetes, key: "role", value: "edge")
        let edge = LabelSelector([LabelRequirement(key: "role", .isIn(["edge"]))])
        let location = SourceLocation(file: "g.yaml", line: 1, column: 1)
        let reference = PolicyReference(kind: "G", namespace: "", name: "g")
        let subject = SubjectSelector.stage(stage, edge)
        let net = try #require(CIDR("192.0.2.0/24"))
        let rules = [Direction.ingress, .egress].map { direction in
            PolicyRule(
                origin: RuleOrigin(policy: reference, section: "\(direction)", index: 0, source: location),
                subject: subject, direction: direction, action: .allow,
                peers: .some([.prefix(net, except: [], includesWorkloads: false)]),
                ports: direction == .ingress ? sql : .all)
        }
        let policy = Policy(
            reference: reference, source: location, rules: rules,
            defaultDeny: [DefaultDeny(subject: subject, direction: .ingress)])
        var deny = policy
        deny.rules[1].action = .deny
        let host = VerdictComparison.Party(
            name: "host", side: .host(IPAddress(v4: 1), labels: [role], isEndpoint: true))
        let all = [host] + parties
        let closed = "allow becomes deny because no ingress rule of G/g allows it"
        #expect(
            lines([], [policy], parties: all) == [
                "world -> \(stage.title) everything: \(closed)",
                "world 192.0.2.0/24 -> \(stage.title) everything but tcp/5432: \(closed)",
            ])
        let result = VerdictComparison(before: [policy], after: [deny], parties: all).run(limit: 9)
        #expect(result.total == 1 && result.unjudgedPairs == 0)
        let change = try #require(result.changes.first)
        #expect(change.passage == .init(stage, .egress))
        #expect([change.from, change.to, change.traffic] == [stage.title, "world 192.0.2.0/24", "everything"])
        #expect(change.reason == "by G/g egress[0]" && change.after == .deny)
        // Other labels for the host take it out of the policy, and who is no endpoint has no stage.
        var renamed = host
        renamed.after.labels = LabelSet([Label(source: LabelSource.reserved, key: "host")])
        #expect(
            lines([policy], [policy], parties: [renamed]).contains(
                "world -> \(stage.title) everything: deny becomes allow because no policy selects \(stage.title) "
                    + "in this direction"))
        var elsewhere = host
        (elsewhere.side.isEndpoint, elsewhere.after.isEndpoint) = (false, false)
        #expect(lines([], [policy], parties: [elsewhere] + parties).isEmpty)
    }

    @Test func `policies without flows are told by what they change for the host and what passes through`() throws {
        let everywhere = LabelSelector([]), location = SourceLocation(file: "g.yaml", line: 1, column: 1)
        func policy(_ name: String, _ subjects: [SubjectSelector], _ action: RuleAction?) -> Policy {
            let reference = PolicyReference(kind: "G", namespace: "", name: name)
            let rules = subjects.map { subject in
                action.map {
                    PolicyRule(
                        origin: RuleOrigin(policy: reference, section: "ingress", index: 0, source: location),
                        subject: subject, direction: .ingress, action: $0, peers: .any, ports: sql)
                }
            }
            return Policy(
                reference: reference, source: location, rules: rules.compactMap(\.self),
                defaultDeny: action == nil ? subjects.map { DefaultDeny(subject: $0, direction: .ingress) } : [])
        }
        let untracked = SubjectSelector.stage(.untracked, everywhere)
        let closed = policy("closed", [.hosts(everywhere), .stage(.forward, everywhere)], nil)
        let (opening, denying) = (policy("raw", [untracked], .allow), policy("raw", [untracked], .deny))
        let host = VerdictComparison.Party(name: "host", side: .host(IPAddress(v4: 1), isEndpoint: true))
        let passing = HostStage.forward.title
        #expect(
            lines([closed], [closed, opening], parties: [host]) == [
                "world -> host tcp/5432: deny becomes allow by G/raw ingress[0]",
                "world -> \(passing) tcp/5432: deny becomes allow by G/raw ingress[0]",
            ])
        #expect(lines([closed], [closed, denying], parties: [host]) == [], "what was denied before")
        #expect(
            lines([], [denying], parties: [host]) == [
                "world -> host tcp/5432: allow becomes deny by G/raw ingress[0]",
                "world -> \(passing) tcp/5432: allow becomes deny by G/raw ingress[0]",
            ])
        #expect(lines([], [opening], parties: [host]) == [], "what was allowed before")
    }

    /// Every flow of random clusters under random policies, judged one by one before and after.
    @Test(arguments: 0..<60) func `it finds the flows that change, and no others`(seed: UInt64) {
        var scenario = RandomScenario(seed: seed)
        let before = scenario.policies
        var after = before
        after[0] = scenario.policy(0)
        if scenario.chance(50) { after.append(scenario.policy(77)) }
        if scenario.chance(50) { after.removeLast() }
        let options = CompileOptions(allowHost: scenario.allowHost)
        func side(_ party: Party) -> ExplainedSide {
            party.isHost
                ? ExplainedSide(labels: party.labels, address: party.address, isHost: true)
                : ExplainedSide(
                    labels: party.labels, address: party.address, namedPorts: party.ports,
                    isEndpoint: party.isWorkload, isWorkload: party.isWorkload)
        }
        let comparison = VerdictComparison(
            before: before, after: after, parties: scenario.parties.map { .init(name: $0.name, side: side($0)) },
            options: options)
        let found = Dictionary(grouping: comparison.run(limit: .max).changes) { "\($0.from) \($0.to)" }
        func name(_ party: Party) -> String {
            guard !party.isWorkload && !party.isHost else { return party.name }
            let network = comparison.networks.filter { $0.contains(party.address) }.max { $0.length < $1.length }
            return network.map { "world \($0)" } ?? "world"
        }
        let (old, new) = (Explainer(policies: before, options: options), Explainer(policies: after, options: options))
        let all = scenario.parties + scenario.outsiders
        var wrong: [String] = []
        for from in all {
            for to in all where from.name != to.name && (from.isWorkload || to.isWorkload) {
                for (proto, port) in RandomScenario.probes where proto != .tcp || port != nil {
                    let (a, b) = (side(from), side(to))
                    let was = old.explain(from: a, to: b, proto: proto, port: port).verdict
                    let becomes = new.explain(from: a, to: b, proto: proto, port: port).verdict
                    let changes = found["\(name(from)) \(name(to))"] ?? []
                    let told = changes.first { change in
                        change.atoms.contains { $0.proto == proto && $0.ports.contains(port ?? 0) }
                    }
                    // What no rule names is among the other protocols.
                    let other = changes.first { $0.atoms.contains { $0.proto == nil } }
                    let change = told ?? (was == becomes ? nil : other)
                    guard change?.before ?? was != was || change?.after ?? was != becomes else { continue }
                    wrong.append("\(from.name) -> \(to.name) \(proto) \(port ?? 0): \(was) to \(becomes)")
                }
            }
        }
        #expect(wrong.isEmpty)
    }
}
