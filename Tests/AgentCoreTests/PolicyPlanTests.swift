// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import IdentityModel
import NetworkModel
import Testing

@testable import AgentCore
@testable import LinuxHost

@Suite struct PlanTests {
    @Test func `a plan names the workloads whose verdict changes and changes nothing`() async throws {
        let keeper = try await Keeper(try Scratch())
        try await keeper.apply(databasePolicy("a", port: 80))
        let document = PolicyDocument(name: "p.yaml", text: Array(databasePolicy("a", port: 81).utf8))
        let plan = try await keeper.state.planPolicies(.apply([document]), limit: 9)
        #expect(plan.changed == ["NetworkPolicy/shop/a"] && plan.refusal == nil && plan.unjudgedPairs == 0)
        #expect(plan.total == plan.changes.count)
        let changes = plan.changes.map { "\($0.from) -> \($0.to) \($0.traffic): \($0.before) becomes \($0.after)" }
        #expect(
            changes == [
                "world -> shop/db tcp/80: allow becomes deny", "world -> shop/db tcp/81: deny becomes allow",
            ], "the host reaches all before and after")
        #expect(keeper.ports == [80])
        #expect(try await keeper.state.planPolicies(.apply([document]), limit: 1).changes.count == 1)
        #expect(try await keeper.state.diffPolicies(document, limit: 9).plan == plan)
        try AtomicFile.write(document.text, to: "\(keeper.scratch.path)/watched/a.yaml")
        await keeper.state.update(policyDirectory: DirectoryChange(names: ["a.yaml"]))
        let refused = try await keeper.state.planPolicies(.apply([document]), limit: 9)
        #expect(refused.refusal?.contains("is defined in") == true)
        let broken = PolicyDocument(name: "p.yaml", text: Array("kind: x".utf8))
        await #expect(throws: APIError.self) { try await keeper.state.planPolicies(.apply([broken]), limit: 9) }
        let more = PolicyDocument(name: "q.yaml", text: Array(databasePolicy("b", port: 82).utf8))
        let both = try await keeper.state.planPolicies(.apply([document, more]), limit: 9)
        #expect(both.added == ["NetworkPolicy/shop/b"] && both.changes.map(\.traffic).contains("tcp/82"))
        await #expect(throws: APIError.self) { try await keeper.state.planPolicies(.apply([more, more]), limit: 9) }
        await #expect(throws: APIError.self) { try await keeper.state.planPolicies(.apply([more, broken]), limit: 9) }
    }
}

extension PlanTests {
    @Test func `a policy that only stands elsewhere is not told as changed`() async throws {
        let keeper = try await Keeper(try Scratch())
        let two = databasePolicy("a", port: 80) + "---\n" + databasePolicy("b", port: 81)
        try await keeper.apply(two)
        let below = "# A note.\n# Another one.\n" + two
        let documents = [PolicyDocument(name: "moved.yaml", text: Array(below.utf8))]
        let plan = try await keeper.state.planPolicies(.apply(documents), limit: 9)
        #expect(plan.changed.isEmpty && plan.total == 0 && plan.unjudgedPairs == 0)
        let other = [PolicyDocument(name: "p.yaml", text: Array(below.replacing("port: 81", with: "port: 82").utf8))]
        let second = try await keeper.state.planPolicies(.apply(other), limit: 9)
        #expect(second.changed == ["NetworkPolicy/shop/b"] && second.total == 2)
        // The new places are in force, without being a change.
        let lines = try await keeper.state.policies().map {
            $0.source.split(separator: ":").dropFirst().map { Int($0) }
        }
        let report = try await keeper.apply("\n\n" + two)
        #expect(report.changed.isEmpty && report.revision == 2)
        #expect(
            try await keeper.state.policies().map { $0.source.split(separator: ":").dropFirst().map { Int($0) } }
                == lines.map { place in [place[0].map { $0 + 2 }, place[1]] })
        #expect(try await keeper.state.history(limit: 1).revisions.first?.changed == [])
        #expect(try await keeper.state.revision(2).changes.isEmpty)
    }

    @Test func `workloads of other hosts are in a plan, one for all that are alike`() async throws {
        let keeper = try await Keeper(try Scratch())
        func remote(_ app: String, _ address: UInt32) -> RemoteWorkload {
            RemoteWorkload(
                labels: LabelSet([
                    Label(source: LabelSource.kubernetes, key: "app", value: app),
                    Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: "shop"),
                ]), addresses: [IPAddress(v4: address)])
        }
        await keeper.state.update(
            remotes: RemoteDelta(setting: [
                "remote:t/web-2": remote("web", 0x0a80_0002), "remote:t/web-1": remote("web", 0x0a80_0001),
                "remote:t/cache": remote("cache", 0x0a80_0003),
            ]))
        func plan(_ from: String) async throws -> [String] {
            let text = databasePolicy("a", port: 80).replacing("ingress: [{", with: "ingress: [{from: [\(from)], ")
            let document = PolicyDocument(name: "p.yaml", text: Array(text.utf8))
            let report = try await keeper.state.planPolicies(.apply([document]), limit: 9)
            #expect(try await keeper.state.diffPolicies(document, limit: 9).plan == report)
            return report.changes.map { "\($0.from) -> \($0.to) \($0.traffic): \($0.before) becomes \($0.after)" }
        }
        try await keeper.apply(
            databasePolicy("a", port: 80).replacing("ingress: [{", with: "ingress: [{from: [{podSelector: {}}], "))
        #expect(
            try await plan("{podSelector: {matchLabels: {app: web}}}") == [
                "shop/cache (another host) -> shop/db tcp/80: allow becomes deny"
            ])
        #expect(
            try await plan("{podSelector: {matchLabels: {app: cache}}}") == [
                "shop/web-1 and 1 more (other hosts) -> shop/db tcp/80: allow becomes deny"
            ])
        // A network tells those of the same labels apart.
        #expect(
            try await plan("{ipBlock: {cidr: 10.128.0.2/31}}") == [
                "shop/web-1 (another host) -> shop/db tcp/80: allow becomes deny"
            ])
    }

    @Test func `deleting and bringing back are planned without a change`() async throws {
        let keeper = try await Keeper(try Scratch())
        try await keeper.apply(databasePolicy("a", port: 80))
        try await keeper.apply(databasePolicy("a", port: 81))
        func changes(_ change: PlannedChange) async throws -> [String] {
            try await keeper.state.planPolicies(change, limit: 9).changes.map {
                "\($0.from) -> \($0.to) \($0.traffic): \($0.before) becomes \($0.after)"
            }
        }
        let deleted = try await keeper.state.planPolicies(.delete("a"), limit: 9)
        #expect(deleted.removed == ["NetworkPolicy/shop/a"] && deleted.added + deleted.changed == [])
        #expect(try await changes(.delete("a")) == ["world -> shop/db everything but tcp/81: deny becomes allow"])
        #expect(
            try await changes(.rollBack(1)) == [
                "world -> shop/db tcp/80: deny becomes allow", "world -> shop/db tcp/81: allow becomes deny",
            ])
        #expect(try await keeper.state.planPolicies(.rollBack(1), limit: 9).changed == ["NetworkPolicy/shop/a"])
        #expect(try await keeper.state.planPolicies(.rollBack(0), limit: 9).removed == ["NetworkPolicy/shop/a"])
        #expect(keeper.ports == [81], "nothing was changed")
        #expect(try await keeper.state.history(limit: 9).revisions.count == 2)
        for wrong in [PlannedChange.delete("b"), .rollBack(2), .rollBack(9)] {
            await #expect(throws: APIError.self) { try await keeper.state.planPolicies(wrong, limit: 9) }
        }
    }
}
