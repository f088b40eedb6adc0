// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import Testing

@Suite struct SelectorLogicTests {
    private typealias Operation = LabelRequirement.Operator

    private static let operations: [Operation] = [
        .isIn(["a"]), .isIn(["a", "b"]), .isIn(["c"]), .isIn([]), .isNotIn(["a"]), .isNotIn(["a", "b"]), .isNotIn([]),
        .exists, .doesNotExist,
    ]

    private func selector(_ operations: [Operation], of source: String = "k8s") -> LabelSelector {
        LabelSelector(operations.map { LabelRequirement(source: source, key: "app", $0) })
    }

    /// Label sets that tell all of the operations above apart: values from no, one and two sources.
    private static let samples = [nil, "a", "b", "c", "d"].flatMap { (first: String?) in
        [nil, "a", "b", "c", "d"].map { (second: String?) in
            LabelSet(
                [("k8s", first), ("container", second)].compactMap { source, value in
                    value.map { Label(source: source, key: "app", value: $0) }
                })
        }
    }

    @Test(arguments: ["k8s", "any"]) func `cover and satisfiability agree with trying all label sets`(source: String) {
        for first in Self.operations {
            for second in Self.operations {
                let (a, b) = (selector([first], of: source), selector([second], of: source))
                let isSubset = Self.samples.allSatisfy { !b.matches($0) || a.matches($0) }
                // Cautious in one direction only: never claims what does not hold.
                if a.covers(b) { #expect(isSubset, "\(a) covers \(b)") }
                let both = selector([first, second], of: source)
                let isPossible = Self.samples.contains { both.matches($0) }
                if !both.isSatisfiable { #expect(!isPossible, "\(both)") }
                if !isPossible { #expect(!both.isSatisfiable, "\(both)") }
            }
        }
    }

    @Test func `a label of one source hides none of another`() {
        let labels = LabelSet([
            Label(source: "container", key: "app", value: "image"), Label(source: "workload", key: "app", value: "db"),
        ])
        #expect(selector([.isIn(["db"])], of: "any").matches(labels))
        #expect(selector([.isIn(["image"])], of: "any").matches(labels))
        #expect(!selector([.isNotIn(["db"])], of: "any").matches(labels))
        #expect(selector([.isNotIn(["web"]), .exists], of: "any").matches(labels))
        #expect(!selector([.isIn(["db"])], of: "container").matches(labels))
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
