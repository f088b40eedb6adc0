// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import IdentityModel
import KernelDatapath
import LinuxHost
import NetworkModel
import PolicyCompiler
import PolicyModel
import Testing

@testable import AgentCore

@Suite struct RuleUsageTests {
    /// A policy of one rule for each port.
    private static func policies(_ ports: [UInt16], line: Int = 1) -> [PolicyReference: Policy] {
        let reference = PolicyReference(kind: "NetworkPolicy", namespace: "shop", name: "db")
        let rules = ports.enumerated().map { index, port in
            PolicyRule(
                origin: RuleOrigin(
                    policy: reference, section: "ingress", index: index,
                    source: SourceLocation(file: "db.yaml", line: line + index, column: 1)),
                subject: .endpoints(LabelSelector()), direction: .ingress, ports: .some([.range(.tcp, port...port)]))
        }
        let source = SourceLocation(file: "db.yaml", line: line, column: 1)
        return [reference: Policy(reference: reference, source: source, rules: rules, defaultDeny: [])]
    }

    /// Rules have the numbers 16 and up, by index.
    private func look(
        _ usage: inout RuleUsage, at seconds: Int64, _ ports: [UInt16], _ counts: [UInt32: UInt64] = [:], line: Int = 1
    ) {
        usage.note(
            Self.policies(ports, line: line), bootSeconds: seconds, slots: { 16 + UInt32($0.origin.index) },
            packets: { slots in Dictionary(slots.map { ($0, counts[$0] ?? 0) }) { first, _ in first } })
    }

    private func entry(_ usage: RuleUsage, _ index: Int) -> RuleUsage.Entry? {
        usage.entry(of: PolicyReference(kind: "NetworkPolicy", namespace: "shop", name: "db"), at: index)
    }

    @Test func `a counter that moves is a hit, one that stays is not`() {
        var usage = RuleUsage(nil, bootID: "a", bootSeconds: 100)
        look(&usage, at: 100, [80, 81], [16: 7])
        look(&usage, at: 160, [80, 81], [16: 8])
        look(&usage, at: 220, [80, 81], [16: 8])
        #expect(entry(usage, 0)?.lastHit == 60 && entry(usage, 0)?.since == 0 && entry(usage, 0)?.packets == 8)
        #expect(entry(usage, 1)?.lastHit == nil && entry(usage, 1)?.since == 0)
        #expect(usage.watched == 120)
    }

    @Test func `a rule that says something else is new, one that was only moved is not`() {
        var usage = RuleUsage(nil, bootID: "a", bootSeconds: 0)
        look(&usage, at: 0, [80])
        look(&usage, at: 10, [80], [16: 1], line: 7)
        #expect(entry(usage, 0)?.lastHit == 10, "the line does not count")
        look(&usage, at: 20, [81], [16: 1])
        #expect(entry(usage, 0)?.since == 20 && entry(usage, 0)?.lastHit == nil)
        look(&usage, at: 30, [])
        #expect(usage.file.entries.isEmpty, "what is not in force is not kept")
    }

    @Test func `after a restart of the agent the time in between counts, and so does what was hit then`() {
        var usage = RuleUsage(nil, bootID: "a", bootSeconds: 0)
        look(&usage, at: 50, [80, 81], [16: 3])
        var next = RuleUsage(usage.file, bootID: "a", bootSeconds: 500)
        look(&next, at: 500, [80, 81], [16: 4])
        #expect(next.watched == 500 && entry(next, 0)?.lastHit == 500)
        #expect(entry(next, 1)?.lastHit == nil && entry(next, 1)?.since == 50)
    }

    @Test func `after a reboot counters begin anew and the time in between does not count`() {
        var usage = RuleUsage(nil, bootID: "a", bootSeconds: 0)
        look(&usage, at: 50, [80, 81], [16: 3, 17: 2])
        var next = RuleUsage(usage.file, bootID: "b", bootSeconds: 9)
        look(&next, at: 19, [80, 81], [17: 2])
        #expect(next.watched == 60)
        #expect(entry(next, 0)?.lastHit == nil, "zero is no hit")
        #expect(entry(next, 1)?.lastHit == 60, "as many as before the boot are a hit")
    }

    @Test func `the digest of a rule is the same in every process`() throws {
        let rule = try #require(Self.policies([80]).values.first?.rules.first)
        #expect(RuleUsage.digest(rule) == 4_951_302_498_704_673_717)
    }

    /// Of the record that an agent of this test keeps.
    private static func path(_ scratch: Scratch) -> String {
        var configuration = AgentConfiguration()
        configuration.stateDirectory = "\(scratch.path)/state"
        return configuration.ruleUsagePath
    }

    @Test func `the agent tells unused rules from such that are too young, over a restart`() async throws {
        let scratch = try Scratch()
        let datapath = InMemoryDatapath()
        func agent() async throws -> AgentState { try await AgentState.adopted(in: scratch.path, datapath) }
        let text = """
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata: {name: db, namespace: shop}
            spec:
              podSelector: {}
              ingress: [{ports: [{port: 80}]}, {ports: [{port: 81}]}]

            """
        let first = try await agent()
        _ = try await first.applyPolicies(
            PolicyDocument(name: "p.yaml", text: Array(text.utf8)), options: ChangeOptions())
        let young = try await first.unusedRules(since: 3600)
        #expect(young.rules == 2 && young.unused.isEmpty && young.young.count == 2 && young.watched == 0)
        #expect(try await first.unusedRules(since: 0).unused.count == 2, "for no time at all")
        await first.noteRuleUsage(isLast: true)

        // As if the record were older, and the first rule hit meanwhile.
        var file = try #require(try StateStorage.read(RuleUsage.File.self, from: Self.path(scratch)))
        file.watched += 7200
        try StateStorage.write(file, to: Self.path(scratch))
        #expect(file.entries.count == 2 && file.entries.allSatisfy { $0.slot == nil }, "nobody is selected")
        let second = try await agent()
        let workload = Workload(
            key: "test:db", name: "db", source: "test",
            labels: LabelSet([Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: "shop")]),
            addresses: [IPAddress(v4: 0x0a00_0001)], interfaces: [.init(name: "veth1", index: 1)])
        await second.update(source: "test", workloads: [workload], state: "ok", location: "")
        await second.settle()
        await second.noteRuleUsage()
        datapath.withContent { content in
            for slot in UInt32(16)...17 where content.mapState?.rules[slot]?.nameText.hasSuffix("[0]") == true {
                content.ruleTraffic[slot] = RuleTraffic(ingress: Traffic(packets: 1, bytes: 60))
            }
        }
        let report = try await second.unusedRules(since: 3600)
        #expect(report.unused.map(\.rule) == ["ingress[1]"] && report.unused.first?.lastHit == nil)
        #expect(report.young.isEmpty && report.rules == 2)
        #expect(report.unused.first?.source == "p.yaml:6:36" && report.unused.first?.policy == "NetworkPolicy/shop/db")
    }

    @Test func `a damaged record begins anew`() async throws {
        let scratch = try Scratch()
        try createDirectory("\(scratch.path)/state")
        try AtomicFile.write(Array("{".utf8), to: Self.path(scratch))
        let state = try await AgentState.adopted(in: scratch.path)
        #expect(try await state.unusedRules(since: 60).watched == 0)
    }
}
