// SPDX-License-Identifier: Apache-2.0

import IdentityAllocation
import IdentityModel
import KernelDatapath
import NetworkModel
import PolicyCompiler
import PolicyModel
import PolicyOracle
import PolicyReading
import TableEncoding
import Testing

@testable import AgentCore

/// Any sequence of changes leaves the tables that the last state gives when it is compiled from nothing.
@Suite struct IncrementalUpdateTests {
    @Test(arguments: 0..<8) func `after any changes everything is as if compiled from nothing`(seed: UInt64) throws {
        for number in 0..<6 {
            var cluster = ChangingCluster(seed: seed &* 7919 &+ UInt64(number) &+ 1)
            let follower = try EngineFollower()
            for step in 0..<20 {
                let change = try cluster.change()
                if cluster.draw.chance(40) { follower.release() }
                try follower.follow(change, isTakenBack: cluster.draw.chance(20))
                // What has retired may stay for a while, and over changes that are taken back.
                guard step == 19 || cluster.draw.chance(60) else { continue }
                try follower.cleanUp()
                let difference = try follower.difference()
                try #require(difference == nil, "seed \(seed), sequence \(number), step \(step): \(difference ?? "")")
            }
        }
    }

    @Test func `a change that is taken back retires nobody and forgets nobody who has retired`() throws {
        let engine = PolicyEngine(identities: .init(), rules: RuleRegistry().snapshot, options: CompileOptions())
        let names = ["a", "b"].map { name in
            Workload(
                key: name, name: name, source: "test",
                labels: LabelSet([Label(source: "k8s", key: "app", value: name)]), addresses: [], interfaces: [])
        }
        func become(_ workloads: [Workload]) throws {
            _ = try engine.prepare(
                EngineChange(workloads: Dictionary(workloads.map { ($0.key, $0) }) { first, _ in first }))
        }
        try become(names)
        engine.accept()
        // b goes for good, a only until the change is taken back.
        try become([names[0]])
        engine.accept()
        try become([])
        engine.rollBack()
        engine.releaseRetiredSubjects()
        let retired = engine.dropUnnamedSubjects().subjectRemovals
        #expect(retired.count == 1 && engine.completeState().subjects.count == 1)
    }

    @Test func `a subject that nothing names goes with the next change, and stays if that is taken back`() throws {
        let engine = PolicyEngine(identities: .init(), rules: RuleRegistry().snapshot, options: CompileOptions())
        func become(_ names: [String]) throws -> MapChanges {
            let workloads = names.map { name in
                Workload(
                    key: name, name: name, source: "test",
                    labels: LabelSet([Label(source: "k8s", key: "app", value: name)]), addresses: [], interfaces: [])
            }
            return try engine.prepare(
                EngineChange(workloads: Dictionary(workloads.map { ($0.key, $0) }) { first, _ in first })
            ).changes
        }
        #expect(try become(["a", "b"]).subjectSettings.count == 2)
        engine.accept()
        // As long as records may name it no change takes it.
        #expect(try become(["a"]).subjectRemovals.isEmpty)
        engine.accept()
        #expect(try become(["a", "c"]).subjectRemovals.isEmpty)
        engine.accept()
        engine.releaseRetiredSubjects()
        let before = engine.completeState()
        let retired = try become(["a", "c", "d"]).subjectRemovals
        engine.rollBack()
        #expect(retired.count == 1 && engine.completeState() == before)
        #expect(try become(["a", "c", "e"]).subjectRemovals == retired)
        engine.accept()
        #expect(engine.dropUnnamedSubjects().isEmpty && engine.completeState().subjects.count == 3)
    }

    @Test func `the changes are of every kind and the tables are not small`() throws {
        var cluster = ChangingCluster(seed: 99)
        let follower = try EngineFollower()
        var kinds: Set<String> = []
        var entries = 0
        for _ in 0..<150 {
            let change = try cluster.change()
            if change.hostLabels != nil || change.hostAddresses != nil { kinds.insert("host") }
            if change.workloads != nil { kinds.insert("workloads") }
            if !change.remotes.settings.isEmpty { kinds.insert("remote settings") }
            if !change.remotes.removals.isEmpty { kinds.insert("remote removals") }
            for policy in change.policies.settings.values {
                if policy.prefixGroup != nil { kinds.insert("groups") }
                if !policy.names.isEmpty { kinds.insert("names") }
                if policy.prefixGroup?.names.isEmpty == false { kinds.insert("names of groups") }
                if policy.prefixGroup?.members != nil { kinds.insert("services") }
            }
            if !change.policies.settings.isEmpty { kinds.insert("settings") }
            if !change.policies.removals.isEmpty { kinds.insert("removals") }
            if change.policies.removals.contains(where: { $0.kind == "Service" }) { kinds.insert("gone services") }
            try follower.follow(change, isTakenBack: false)
            try follower.cleanUp()
            entries = max(entries, follower.sum.policy.count)
        }
        let all: Set = [
            "host", "workloads", "settings", "removals", "remote settings", "remote removals", "groups", "names",
            "services", "gone services", "names of groups",
        ]
        #expect(kinds == all && entries > 200, "\(kinds) \(entries)")
    }

    @Test func `a change of one of many touches only what it is about`() throws {
        let engine = PolicyEngine(identities: .init(), rules: RuleRegistry().snapshot, options: CompileOptions())
        let group = PrefixGroup(
            labels: LabelSet([Label(source: "g", key: "name", value: "list")]),
            prefixes: (0..<5000).map { CIDR(IPAddress(v4: 0xb000_0000 + $0 << 8), length: 24) },
            includesWorkloads: false)
        func list(_ group: PrefixGroup) -> Policy {
            Policy(
                reference: PolicyReference(kind: "CiliumCIDRGroup", namespace: "", name: "list"),
                source: SourceLocation(file: "f", line: 1, column: 1), rules: [], defaultDeny: [], prefixGroup: group)
        }
        var change = EngineChange(policies: PolicyDelta(setting: [list(group)]))
        for number in 0..<2000 {
            change.remotes["remote:t/\(number)"] = remote("app-\(number % 100)", [0x0a80_0000 + UInt32(number)])
        }
        let mappings = try engine.prepare(change).changes.mappingSettings
        engine.accept()
        // One mapping for each prefix, and one identity for them all.
        let listed = mappings.filter { $0.prefix.length == 24 }
        #expect(listed.count == 5000 && Set(listed.map(\.identity)).count == 1)

        var longer = group
        longer.prefixes.remove(at: 17)
        longer.prefixes.append(CIDR(IPAddress(v4: 0xc000_0200), length: 24))
        let listChange = try engine.prepare(EngineChange(policies: PolicyDelta(setting: [list(longer)]))).changes
        engine.accept()
        #expect(listChange.mappingSettings.count == 1 && listChange.mappingRemovals.count == 1)

        var moved = EngineChange()
        moved.remotes["remote:t/5"] = remote("app-5", [0x0a90_0000])
        moved.remotes["remote:t/6"] = remote("app-7", [0x0a80_0006])
        moved.remotes["remote:t/7"] = nil
        let podChange = try engine.prepare(moved)
        #expect(podChange.changes.mappingSettings.count == 2 && podChange.changes.mappingRemovals.count == 2)
        #expect(podChange.identities.isEmpty && podChange.changes.subjectSettings.isEmpty)
    }

    /// Slices of a cluster list every workload there is: each label set has one peer in the tables all the same.
    @Test func `workloads that slices list cost no more entries than those that none does`() throws {
        let engine = PolicyEngine(identities: .init(), rules: RuleRegistry().snapshot, options: CompileOptions())
        func read(_ text: String) throws -> PolicyDelta {
            let result = PolicyReader().read(text, file: "f.yaml")
            try #require(!result.diagnostics.hasErrors, "\(result.diagnostics)")
            return PolicyDelta(setting: result.policies)
        }
        func slices(_ apps: Range<Int>, ready: Bool = true) throws -> PolicyDelta {
            try read(
                apps.map { app in
                    """
                    apiVersion: discovery.k8s.io/v1
                    kind: EndpointSlice
                    metadata: {name: s-\(app), namespace: shop, labels: {kubernetes.io/service-name: s-\(app)}}
                    addressType: IPv4
                    endpoints:
                      - {addresses: [10.128.0.\(app)]}
                      - {addresses: [10.128.1.\(app)], conditions: {ready: \(ready)}}
                    ports: [{port: 80, protocol: TCP}]
                    ---

                    """
                }.joined())
        }
        var change = EngineChange(
            policies: try read(
                """
                apiVersion: networking.k8s.io/v1
                kind: NetworkPolicy
                metadata: {name: db, namespace: shop}
                spec: {podSelector: {}, ingress: [{from: [{podSelector: {matchExpressions: [{key: app, operator: Exists}]}}]}]}
                """))
        let shop = Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: "shop")
        for app in 0..<100 {
            let labels = LabelSet([shop, Label(source: LabelSource.kubernetes, key: "app", value: "app-\(app)")])
            change.remotes["remote:t/\(app)"] = RemoteWorkload(
                labels: labels, addresses: [0x0a80_0000, 0x0a80_0100].map { IPAddress(v4: $0 + UInt32(app)) })
        }
        change.workloads = [
            "db": Workload(
                key: "db", name: "db", source: "test", labels: LabelSet([shop]),
                addresses: [IPAddress(v4: 0x0a00_0001)],
                interfaces: [])
        ]
        func entries(_ change: EngineChange) throws -> Int {
            _ = try engine.prepare(change)
            engine.accept()
            return engine.completeState().policy.count
        }
        let unlisted = try entries(change)
        #expect(unlisted >= 100)
        #expect(try entries(EngineChange(policies: slices(0..<100))) == unlisted)
        // One of two addresses is not ready: then there are two kinds of them.
        #expect(try entries(EngineChange(policies: slices(0..<10, ready: false))) == unlisted + 10)
        #expect(try entries(EngineChange(policies: slices(0..<10))) == unlisted)
    }

    @Test func `a workload of another host is a peer, and no subject`() throws {
        let engine = PolicyEngine(identities: .init(), rules: RuleRegistry().snapshot, options: CompileOptions())
        var change = EngineChange()
        change.remotes["remote:t/a"] = remote("web", [0x0a80_0001, 0x0a80_0002])
        change.workloads = [
            "w": Workload(
                key: "w", name: "w", source: "test", labels: remote("web", []).labels,
                addresses: [IPAddress(v4: 0x0a80_0002)], interfaces: [])
        ]
        _ = try engine.prepare(change)
        engine.accept()
        #expect(engine.allocator.subjects.count == 1 && engine.allocator.assignments["remote:t/a"]?.subject == 0)
        // Here before elsewhere, whoever came first; labels that are the same are one identity.
        let state = engine.completeState()
        #expect(Set(state.ipcache.values).count == 1 && state.ipcache.count == 2)
        var relabelled = EngineChange()
        relabelled.remotes["remote:t/a"] = remote("db", [0x0a80_0001, 0x0a80_0002])
        let changes = try engine.prepare(relabelled).changes
        #expect(changes.mappingSettings.map(\.prefix) == [CIDR(host: IPAddress(v4: 0x0a80_0001))])
    }

    private func remote(_ app: String, _ addresses: [UInt32]) -> RemoteWorkload {
        RemoteWorkload(
            labels: LabelSet([Label(source: "k8s", key: "app", value: app)]),
            addresses: addresses.map { IPAddress(v4: $0) })
    }
}

/// An engine, and what its changes add up to.
private final class EngineFollower {
    private let engine = PolicyEngine(identities: .init(), rules: RuleRegistry().snapshot, options: CompileOptions())
    private(set) var sum = MapState()
    private let shadow = ShadowTables(capacity: .init(policyBuckets: 32_768, policyEntries: 262_144, ipcacheChunks: 4))

    /// An agent begins with the state of nothing.
    init() throws { try follow(EngineChange(), isTakenBack: false) }

    func follow(_ change: EngineChange, isTakenBack: Bool) throws {
        let before = isTakenBack ? (engine.completeState(), engine.allocator.snapshot) : nil
        let prepared = try engine.prepare(change)
        if let before {
            engine.rollBack()
            #expect(engine.completeState() == before.0 && engine.allocator.snapshot == before.1)
            return
        }
        engine.accept()
        try apply(prepared.changes)
    }

    /// Subjects that nobody has any more go when the kernel's endpoint records are up to date.
    func cleanUp() throws {
        release()
        try apply(engine.dropUnnamedSubjects())
    }

    /// The records are up to date: the next change takes along who has retired.
    func release() { engine.releaseRetiredSubjects() }

    private func apply(_ changes: MapChanges) throws {
        sum.apply(changes)
        try shadow.apply(changes)
    }

    /// Where the sum of all changes and the tables' image differ from the engine, or the engine from a compilation from
    /// nothing, but for the ranks: these only compare alike, for they depend on what was there before.
    func difference() throws -> String? {
        let fresh = PolicyEngine(
            identities: engine.allocator.snapshot, rules: engine.registry.snapshot, options: CompileOptions())
        _ = try fresh.prepare(
            EngineChange(
                workloads: engine.input.workloads, remotes: RemoteDelta(setting: engine.remotes),
                hostAddresses: engine.input.hostAddresses,
                hostLabels: engine.input.hostLabels, policies: PolicyDelta(setting: engine.input.policies.values)))
        let state = engine.completeState()
        let comparisons = [
            ("engine", state.withDenseRanks(), fresh.completeState().withDenseRanks()), ("sum of changes", sum, state),
            ("image", image(), state),
        ]
        for (name, found, expected) in comparisons where found != expected {
            let changes = found.changes(to: expected)
            let counts =
                "subjects \(changes.subjectRemovals) \(changes.subjectSettings.keys), "
                + "rules \(changes.ruleRemovals) \(changes.ruleSettings)"
            let lines = changes.lines(from: found).prefix(20).joined(separator: "\n")
            return "\(name) against what is expected: \(counts)\n\(lines)"
        }
        return nil
    }

    /// What the image of the tables holds; rules are in no table.
    private func image() -> MapState {
        var state = MapState(rules: sum.rules)
        for (key, value) in shadow.policy.contents() { state.policy[key] = value }
        for slot in shadow.subjects.slots { state.subjects[slot] = shadow.subjects.state(of: slot) }
        for prefix in sum.ipcache.keys { state.ipcache[prefix] = shadow.ipcache.value(of: prefix) }
        return state
    }
}

/// Workloads, policies and the host itself, in random change.
private struct ChangingCluster {
    var draw: RandomPolicyTest
    private var workloads: [String: Workload] = [:]
    private var remotes: [String: RemoteWorkload] = [:]
    private var policies: [PolicyReference: Policy] = [:]

    init(seed: UInt64) { draw = RandomPolicyTest(seed: seed) }

    mutating func change() throws -> EngineChange {
        var change = EngineChange()
        for _ in 0..<draw.number(1...2) {
            switch draw.number(1...13) {
            case 1, 2, 3:
                for _ in 0..<draw.number(1...3) {
                    guard let policy = try policy(draw.number(0...9)) else { continue }
                    change.policies[policy.reference] = policy
                    policies[policy.reference] = policy
                }
            case 4:
                let references = policies.keys.sorted()
                guard !references.isEmpty else { continue }
                let gone = draw.pick(references)
                change.policies[gone] = nil
                policies[gone] = nil
            case 5:
                workloads = try read(draw.workloads())
                change.workloads = workloads
            case 6, 7:
                try changeOne()
                change.workloads = workloads
            case 8, 9: try changeRemotes(&change.remotes)
            case 10:
                let group = group()
                change.policies[group.reference] = group
                policies[group.reference] = group
            case 11:
                let policy = namePolicy()
                change.policies[policy.reference] = policy
                policies[policy.reference] = policy
            case 12:
                // Comes, selects others, or goes: workloads join it and leave it while they stay what they are.
                let service = try service(draw.number(0...1))
                let goes = policies[service.reference] != nil && draw.chance(50)
                change.policies[service.reference] = goes ? nil : service
                policies[service.reference] = goes ? nil : service
                let rule = policy("to-services", [.group(Self.anyService)])
                change.policies[rule.reference] = rule
                policies[rule.reference] = rule
            default:
                change.hostAddresses = draw.pick([[], ["192.0.2.1"], ["192.0.2.1", "fd00:1::9", "10.1.0.9"]])
                    .compactMap { (text: String) in IPAddress(text) }
                change.hostLabels = draw.pick([[], [Label(source: "k8s", key: "kubernetes.io/hostname", value: "n1")]])
            }
        }
        return change
    }

    /// Another draw's labels, addresses or port names for one workload; or it goes, or comes.
    private mutating func changeOne() throws {
        let others = try read(draw.workloads())
        guard let key = others.keys.sorted().first(where: { workloads[$0] != nil }), let other = others[key] else {
            for (key, workload) in others.prefix(1) { workloads[key] = workload }
            return
        }
        switch draw.number(1...5) {
        case 1: workloads[key]?.labels = other.labels
        case 2: workloads[key]?.addresses = other.addresses
        case 3: workloads[key]?.namedPorts = other.namedPorts
        case 4: workloads[key] = nil
        default: workloads.merge(others) { mine, _ in mine }
        }
    }

    /// Comes with another draw's labels, addresses and port names, in part or wholly; or goes.
    private mutating func changeRemotes(_ delta: inout RemoteDelta) throws {
        for (key, other) in try read(draw.workloads()).sorted(by: { $0.key < $1.key }) where !other.isHost {
            guard draw.chance(60) else { continue }
            let key = "remote:test/\(key)"
            if draw.chance(25) {
                delta[key] = nil
                remotes[key] = nil
                continue
            }
            let mine = remotes[key]
            let remote = RemoteWorkload(
                labels: draw.chance(50) ? other.labels : mine?.labels ?? other.labels,
                addresses: draw.chance(50) ? Array(other.addresses) : mine?.addresses ?? Array(other.addresses),
                namedPorts: draw.chance(50) ? other.namedPorts : mine?.namedPorts ?? other.namedPorts)
            delta[key] = remote
            remotes[key] = remote
        }
    }

    /// A list of prefixes, another one each time, and rules about what is in it.
    private mutating func group() -> Policy {
        let number = draw.number(0...1)
        let labels = LabelSet([Label(source: "k8s", key: "list", value: draw.pick(["a", "b"]))])
        let texts = (0..<draw.number(1...4)).flatMap { _ in [draw.prefixes().outer, draw.prefixes().inner] }
        return policy(
            "group-\(number)", [.group(Self.list("a")), .groupNames(Self.list(draw.pick(["a", "b"])))],
            group: PrefixGroup(
                labels: labels, prefixes: Set(texts.compactMap { CIDR($0) }).sorted(),
                names: draw.chance(70) ? names() : [], includesWorkloads: number == 0))
    }

    private mutating func names() -> Set<NameSelector> {
        Set(
            (0..<draw.number(1...3)).compactMap { _ in
                NameSelector(draw.pick(["example.com", "*.example.com", "db.example.org", "**.example.net"]))
            })
    }

    private mutating func namePolicy() -> Policy {
        policy("names-\(draw.number(0...2))", names().sorted().map { .name($0) })
    }

    private static func list(_ value: String) -> LabelSelector {
        LabelSelector([LabelRequirement(key: "list", .isIn([value]))])
    }

    private func policy(_ name: String, _ peers: [PeerSelector], group: PrefixGroup? = nil) -> Policy {
        let reference = PolicyReference(kind: "CiliumNetworkPolicy", namespace: "test", name: name)
        let source = SourceLocation(file: "test.yaml", line: 1, column: 1)
        let rule = PolicyRule(
            origin: RuleOrigin(policy: reference, section: "egress", index: 0, source: source),
            subject: .endpoints(LabelSelector([])), direction: .egress, action: .allow, peers: .some(peers),
            ports: .all)
        return Policy(
            reference: reference, source: source, rules: peers.isEmpty ? [] : [rule], defaultDeny: [],
            prefixGroup: group)
    }

    private static let anyService = LabelSelector([
        LabelRequirement(source: LabelSource.service, key: "io.kubernetes.service.name", .exists)
    ])

    /// Services of the namespaces and labels that workloads are drawn with.
    private mutating func service(_ number: Int) throws -> Policy {
        let text = """
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s\(number)"},
            "spec": {"selector": {"app": "\(draw.pick(["a", "b", "c"]))"}, "ports": [{"port": 80}]}}
            """
        return try #require(PolicyReader().read(text, file: "service.json").policies.first)
    }

    private mutating func policy(_ number: Int) throws -> Policy? {
        let result = PolicyReader().read(draw.policy(number).json, file: "random.json")
        try #require(result.diagnostics.filter { $0.severity == .error }.map(\.description) == [])
        return result.policies.first
    }

    /// What uses the node's network is the host endpoint, whose labels and addresses change by themselves.
    private func read(_ list: CaseNode) throws -> [String: Workload] {
        let test: CaseNode = [
            "apiVersion": "bulkhead.dev/v1alpha1", "kind": "PolicyTest", "metadata": ["name": "t"],
            "workloads": list, "probes": [],
        ]
        let set = PolicyTestReader().read(bytes: Array(test.json.utf8), file: "random.json")
        var result: [String: Workload] = [:]
        for workload in try #require(set.tests.first).workloads {
            let isHost = workload.isHostNetwork
            let key = isHost ? "host" : workload.key
            result[key] = Workload(
                key: key, name: key, source: "test",
                labels: isHost ? LabelSet([Label(source: LabelSource.reserved, key: "host")]) : workload.labels,
                addresses: isHost ? [] : Set(workload.addresses), interfaces: [], namedPorts: workload.ports,
                options: isHost ? .host : [])
        }
        return result
    }
}
