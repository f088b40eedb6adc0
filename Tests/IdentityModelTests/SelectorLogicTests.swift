// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import Testing

@Suite struct SelectorLogicTests {
    private typealias Operation = LabelRequirement.Operator

    private static let operations: [Operation] = [
        .isIn(["a"]), .isIn(["a", "b"]), .isIn(["c"]), .isIn([]), .isNotIn(["a"]), .isNotIn(["a", "b"]), .isNotIn([]),
        .exists, .doesNotExist,
    ]

    private func selector(_ operations: [Operation]) -> LabelSelector {
        LabelSelector(operations.map { LabelRequirement(source: "k8s", key: "app", $0) })
    }

    /// Label sets that tell all of the operations above apart.
    private static let samples = [nil, "a", "b", "c", "d"].map { (value: String?) in
        LabelSet(value.map { [Label(source: "k8s", key: "app", value: $0)] } ?? [])
    }

    @Test func `cover and satisfiability agree with trying all label sets`() {
        for first in Self.operations {
            for second in Self.operations {
                let (a, b) = (selector([first]), selector([second]))
                let isSubset = Self.samples.allSatisfy { !b.matches($0) || a.matches($0) }
                // Cautious in one direction only: never claims what does not hold.
                if a.covers(b) { #expect(isSubset, "\(a) covers \(b)") }
                let both = selector([first, second])
                let isPossible = Self.samples.contains { both.matches($0) }
                if !both.isSatisfiable { #expect(!isPossible, "\(both)") }
                if !isPossible { #expect(!both.isSatisfiable, "\(both)") }
            }
        }
    }

    @Test func `everything covers itself and is covered by the empty selector`() {
        for operation in Self.operations {
            #expect(selector([operation]).covers(selector([operation])))
            #expect(LabelSelector().covers(selector([operation])))
        }
        #expect(!selector([.exists]).covers(LabelSelector()))
        let elsewhere = LabelSelector([LabelRequirement(source: "container", key: "app", .isIn(["a"]))])
        #expect(!selector([.isIn(["a"])]).covers(elsewhere), "another source is another label")
    }
}
