// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import KubernetesClient
import Testing

@testable import AgentCore

/// Which Events policies get.
@Suite struct PolicyNoticesTests {
    private var notices = PolicyNotices()

    private func id(_ name: String) -> PolicyStatusPlan.PolicyID {
        .init(kind: .networkPolicies, key: ObjectKey(namespace: "shop", name: name))
    }

    private func trouble(_ isRefused: Bool, since seconds: Int = 0, generation: Int = 1) -> PolicyTrouble {
        PolicyTrouble(
            isRefused: isRefused, mark: DocumentMark(key: "k", uid: "u", generation: generation), text: "why",
            since: .seconds(seconds))
    }

    private mutating func reasons(_ troubles: [PolicyStatusPlan.PolicyID: PolicyTrouble], at seconds: Int) -> [String] {
        notices.due(troubles, now: .seconds(seconds)).map { "\($0.note.reason) \($0.count)" }
    }

    @Test mutating func `a refusal is told once, and again while it lasts`() {
        let troubles = [id("a"): trouble(true)]
        #expect(reasons(troubles, at: 0) == [])
        #expect(reasons(troubles, at: 1) == ["PolicyRefused 1"])
        #expect(reasons(troubles, at: 1000) == [])
        #expect(reasons(troubles, at: 1801) == ["PolicyRefused 2"])
        #expect(reasons([:], at: 1802) == [])
        #expect(reasons(troubles, at: 1803) == ["PolicyRefused 1"], "it was well in between")
    }

    @Test mutating func `what is not in force yet has half a minute, and another state is another trouble`() {
        #expect(reasons([id("a"): trouble(false)], at: 29) == [])
        #expect(reasons([id("a"): trouble(false)], at: 30) == ["PolicyNotInForce 1"])
        #expect(reasons([id("a"): trouble(false, since: 31, generation: 2)], at: 60) == [])
        #expect(reasons([id("a"): trouble(true, since: 31, generation: 2)], at: 61) == ["PolicyRefused 1"])
    }

    @Test mutating func `many are told one after the other, and none is lost`() {
        let troubles = Dictionary(uniqueKeysWithValues: (0..<100).map { (id("p\($0)"), trouble(true)) })
        var told: Set<PolicyStatusPlan.PolicyID> = []
        #expect(notices.due(troubles, now: .seconds(5)).map { told.insert($0.policy).inserted }.count == 20)
        for second in 6..<200 {
            let next = notices.due(troubles, now: .seconds(second))
            #expect(next.count <= 1)
            for notice in next { #expect(told.insert(notice.policy).inserted) }
        }
        #expect(told.count == 100)
    }

    @Test mutating func `what could not be told is told again, under the same name`() throws {
        let troubles = [id("a"): trouble(true)]
        let first = try #require(notices.due(troubles, now: .seconds(5)).first)
        notices.fail(first)
        #expect(notices.due(troubles, now: .seconds(6)) == [first])
        #expect(first.name.hasPrefix("a.refused."))
    }

    @Test func `an allowance is used up and comes back`() {
        var allowance = EventAllowance(burst: 2, every: .seconds(10))
        func taken(_ seconds: Int...) -> [Bool] { seconds.map { allowance.take(now: .seconds($0)) } }
        #expect(taken(0, 1, 9) == [true, true, false])
        #expect(taken(10, 19, 21, 21) == [true, false, true, false])
        let isFull = [31, 42].map { allowance.isFull(now: .seconds($0)) }
        #expect(isFull == [false, true])
        #expect(taken(1000, 1000, 1000) == [true, true, false], "no more than the burst, however long nobody asked")
    }
}
