// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import KubernetesClient
import Testing

@testable import AgentCore

/// What policies are told of the nodes, and when.
@Suite struct PolicyStatusPlanTests {
    private static let kind = ResourceKind.policies.first { $0.plural == "ciliumnetworkpolicies" } ?? .networkPolicies
    private static let admin = ResourceKind.policies.first { $0.plural == "adminnetworkpolicies" } ?? .networkPolicies
    private var plan = PolicyStatusPlan()
    private var now: Duration = .seconds(100)

    private static func id(_ name: String, _ kind: ResourceKind = kind) -> PolicyStatusPlan.PolicyID {
        .init(kind: kind, key: ObjectKey(namespace: kind.isNamespaced ? "shop" : "", name: name))
    }

    private func facts(_ name: String, _ generation: Int = 1, _ kind: ResourceKind = kind) -> PolicyFacts {
        let key = Self.id(name, kind).key
        return PolicyFacts(
            uid: "u-\(name)",
            mark: DocumentMark(key: kind.documentKey(key), uid: "u-\(name)", generation: generation))
    }

    private func report(_ policies: [PolicyFacts], _ kind: ResourceKind = kind) -> NodePolicyReport {
        var report = NodePolicyReport()
        var digest = DocumentDigest()
        for policy in policies { digest.add(policy.mark) }
        report.digests[kind.description] = digest
        return report
    }

    private mutating func take(_ policies: [String: PolicyFacts], _ kind: ResourceKind = kind) {
        let all = Dictionary(uniqueKeysWithValues: policies.map { (Self.id($0.key, kind).key, $0.value) })
        plan.take(.policies(kind, .replaced(all, keeping: [])), now: now)
    }

    private mutating func take(_ nodes: [String: NodePolicyReport]) {
        let all = Dictionary(uniqueKeysWithValues: nodes.map { (ObjectKey(name: $0.key), $0.value) })
        plan.take(.reports(.replaced(all, keeping: [])), now: now)
    }

    private mutating func tell(_ node: String, _ report: NodePolicyReport?) {
        let key = ObjectKey(name: node)
        plan.take(.reports(report.map { .upserted(key, $0) } ?? .removed(key)), now: now)
    }

    /// What is written by then, and is there.
    private mutating func written(after seconds: Int = 0) -> [PolicyStatusPlan.Write] {
        now += .seconds(seconds)
        let writes = plan.takeWrites(atMost: 1000, now: now, time: "T\(now.components.seconds)")
        for write in writes { plan.settle(write, now: now) }
        return writes
    }

    private func text(_ write: PolicyStatusPlan.Write?) -> [String] {
        (write?.conditions ?? []).map { "\($0.type)=\($0.status.rawValue) \($0.reason): \($0.message)" }
    }

    @Test mutating func `a policy is in force once every node says so, and that is said once`() {
        let web = facts("web")
        take(["web": web])
        #expect(written(after: 10).isEmpty, "nothing is said before nodes are known")
        take(["n1": report([web]), "n2": report([])])
        #expect(
            text(written().first) == [
                "bulkhead.dev/Accepted=True Accepted: nodes understand it",
                "bulkhead.dev/InForce=False Pending: in force on 1 of 2 nodes; not on n2 (it has not told of it yet)",
            ])
        tell("n2", report([web]))
        let last = written(after: 1)
        #expect(text(last.first).last == "bulkhead.dev/InForce=True InForce: in force on 2 of 2 nodes")
        #expect(last.first?.conditions.map(\.since) == ["T110", "T111"], "each since its status is what it is")
        #expect(written(after: 1000).isEmpty)
    }

    @Test mutating func `nodes have a moment before it is said that they have not told`() {
        take(["n1": report([])])
        take(["web": facts("web")])
        #expect(written(after: 1).isEmpty)
        tell("n1", report([facts("web")]))
        #expect(written().map { $0.conditions.map(\.status) } == [[.yes, .yes]])
        plan.take(.policies(Self.kind, .upserted(Self.id("web").key, changed(facts("web", 2)))), now: now)
        #expect(written(after: 1).isEmpty)
        #expect(written(after: 1).map { $0.conditions.map(\.status) } == [[.unknown, .no]])
    }

    /// A policy as the API has it after the last write.
    private func changed(_ facts: PolicyFacts) -> PolicyFacts {
        var copy = facts
        copy.conditions = plan.conditions(of: Self.id("web"))
        return copy
    }

    @Test mutating func `who refuses is named with the reason, and what corrects it is accepted`() {
        let web = facts("web")
        var refusing = report([web])
        refusing.exceptions[Self.kind.documentKey(Self.id("web").key)] = .init(
            .refused, generation: 1, message: "BH1301: no such field")
        take(["n1": refusing, "n2": refusing, "n3": report([web])])
        take(["web": web, "other": facts("other")])
        // The other one is not in any digest: nobody has told of a state that is ours.
        let write = written().first { $0.policy == Self.id("web") }
        #expect(write?.conditions.first?.status == .no)
        #expect(
            write?.conditions.first?.message
                == "BH1301: no such field (n1, n2); what was in force before stays")
        take(["web": web])
        _ = written(after: 20)
        #expect(
            plan.conditions(of: Self.id("web")).last?.message.hasPrefix("in force on 1 of 3 nodes; not on n1 (BH")
                == true)
        let better = facts("web", 2)
        plan.take(.policies(Self.kind, .upserted(Self.id("web").key, changed(better))), now: now)
        for node in ["n1", "n2", "n3"] { tell(node, report([better])) }
        #expect(written().map { $0.conditions.map(\.status) } == [[.yes, .yes]])
    }

    @Test mutating func `what a node does not follow is not in force there, and a silent one is not said to refuse`() {
        let web = facts("web")
        var blind = report([])
        blind.problems[Self.kind.description] = "403"
        take(["n1": report([web]), "n2": blind])
        take(["web": web])
        _ = written(after: 2)
        #expect(
            text(.init(policy: Self.id("web"), uid: "", conditions: plan.conditions(of: Self.id("web")))).last
                == "bulkhead.dev/InForce=False NotInForce: in force on 1 of 2 nodes; not on n2 (403)")
        tell("n2", report([]))
        _ = written(after: 20)
        #expect(plan.conditions(of: Self.id("web")).last?.reason == "Pending")
        // One is heard, the other is not.
        now += .seconds(400)
        tell("n1", report([web]))
        _ = written(after: 60)
        #expect(plan.roll.silent == ["n2"])
        let last = plan.conditions(of: Self.id("web")).last
        #expect(last?.status == .unknown && last?.reason == "NodesSilent")
        #expect(last?.message == "in force on 1 of 2 nodes; not on n2 (silent)")
        tell("n2", nil)
        _ = written(after: 20)
        #expect(plan.conditions(of: Self.id("web")).last?.message == "in force on 1 of 1 nodes")
    }

    @Test mutating func `other words for the same are no haste`() {
        let web = facts("web")
        take(["web": web])
        take(["n1": report([web]), "n2": report([]), "n3": report([])])
        #expect(written(after: 2).count == 1)
        tell("n2", report([web]))
        #expect(written(after: 1).isEmpty)
        #expect(text(written(after: 9).first).last?.contains("in force on 2 of 3 nodes") == true)
        // A node more, at which it is in force.
        tell("n3", report([web]))
        _ = written(after: 20)
        tell("n4", report([web]))
        let later = written(after: 11)
        #expect(text(later.first).last == "bulkhead.dev/InForce=True InForce: in force on 4 of 4 nodes")
    }

    @Test mutating func `what somebody changes comes before what is brought up to date`() {
        var all: [String: PolicyFacts] = [:]
        for number in 0..<500 { all["p\(number)"] = facts("p\(number)") }
        take(all)
        take(["n1": report(Array(all.values))])
        #expect(plan.takeWrites(atMost: 4, now: now, time: "T").count == 4)
        for name in ["late", "later"] {
            all[name] = facts(name)
            plan.take(.policies(Self.kind, .upserted(Self.id(name).key, facts(name))), now: now)
        }
        now += .seconds(1)
        tell("n1", report(Array(all.values)))
        let next = plan.takeWrites(atMost: 4, now: now, time: "T")
        #expect(next.count == 4 && Set(next.map(\.policy)).isSuperset(of: [Self.id("late"), Self.id("later")]))
    }

    @Test mutating func `a status that may not be written is left alone for a while`() {
        let web = facts("web")
        take(["web": web])
        take(["n1": report([web])])
        let write = plan.takeWrites(atMost: 1, now: now, time: "T")
        #expect(write.count == 1 && plan.takeWrites(atMost: 1, now: now, time: "T").isEmpty, "it is being written")
        plan.fail(write[0], now: now)
        plan.bar(Self.kind, until: now + .seconds(60))
        #expect(written(after: 50).isEmpty)
        #expect(written(after: 10).count == 1)
    }

    @Test mutating func `kinds without a status are told nothing, and troubles are known of them all the same`() {
        let web = PolicyFacts(
            uid: "u",
            mark: DocumentMark(key: "networkpolicies.networking.k8s.io/shop/web", uid: "u", generation: 1))
        take(["web": web], .networkPolicies)
        var refusing = report([web], .networkPolicies)
        refusing.exceptions["networkpolicies.networking.k8s.io/shop/web"] = .init(
            .refused, generation: 1, message: "wrong")
        take(["n1": refusing])
        #expect(written(after: 10).isEmpty)
        #expect(plan.troubles[Self.id("web", .networkPolicies)]?.isRefused == true)
        tell("n1", report([web], .networkPolicies))
        #expect(written().isEmpty && plan.troubles.isEmpty)
    }

    @Test mutating func `a kind that is not installed any more is told nothing`() {
        take(["web": facts("web")])
        take(["n1": report([])])
        #expect(written(after: 2).count == 1)
        plan.take(.policies(Self.kind, .status(.notInstalled("404"))), now: now)
        tell("n1", report([facts("web")]))
        #expect(written(after: 100).isEmpty && plan.policyCount == 0 && plan.troubles.isEmpty)
        take(["web": facts("web")])
        #expect(written(after: 100).map { $0.conditions.map(\.status) } == [[.yes, .yes]])
    }

    @Test mutating func `conditions of the API's own form say which generation they are of`() {
        let web = facts("web", 7, Self.admin)
        take(["web": web], Self.admin)
        take(["n1": report([web], Self.admin)])
        #expect(written().first?.conditions.map(\.generation) == [7, 7])
        #expect(PolicyCondition(.accepted, in: Self.kind, .yes, "A", "m", generation: 7).generation == nil)
        #expect(PolicyCondition.Kind.inForce.name(in: .policyLoggings) == "InForce")
    }

    @Test mutating func `ten thousand policies on five thousand nodes cost what changes`() {
        var all: [String: PolicyFacts] = [:]
        for number in 0..<10_000 { all["p\(number)"] = facts("p\(number)") }
        take(all)
        let same = report(Array(all.values))
        take(Dictionary(uniqueKeysWithValues: (0..<5000).map { ("n\($0)", same) }))
        var count = 0
        while case let writes = written(), !writes.isEmpty { count += writes.count }
        #expect(count == 10_000)
        all["p5"] = facts("p5", 2)
        let begin = ContinuousClock.now
        var changed = facts("p5", 2)
        changed.conditions = plan.conditions(of: Self.id("p5"))
        plan.take(.policies(Self.kind, .upserted(Self.id("p5").key, changed)), now: now)
        let next = report(Array(all.values))
        for number in 0..<5000 {
            tell("n\(number)", next)
            #expect(plan.takeWrites(atMost: 100, now: now, time: "T").count <= 1)
        }
        // One policy is looked at for each node that tells; were it all of them, this would take an hour.
        #expect(ContinuousClock.now - begin < .seconds(60))
    }
}
