// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import Testing

@testable import Console

@Suite struct FittingLabelsTests {
    private static func one(_ operation: LabelRequirement.Operator, of key: String = "a") -> LabelRequirement {
        LabelRequirement(source: LabelSource.any, key: key, operation)
    }

    @Test(arguments: [
        ([], ""), ([one(.exists)], "k8s:a"), ([one(.isIn(["x", "y"]))], "k8s:a=x"),
        ([one(.isIn(["x", "y"])), one(.isNotIn(["x"]))], "k8s:a=y"),
        ([one(.isIn(["x", "y"])), one(.isIn(["y", "z"]))], "k8s:a=y"),
        ([one(.has(.start, "x")), one(.has(.end, "z")), one(.has(.start, "xy"))], "k8s:a=xyz"),
        ([one(.exists), one(.isNotIn([""]))], "k8s:a=any"), ([one(.isNotIn(["x"])), one(.doesNotExist, of: "b")], ""),
        ([one(.exists, of: WellKnownLabel.namespace)], "k8s:io.kubernetes.pod.namespace=default"),
        ([one(.exists), one(.exists, of: "b")], "k8s:a,k8s:b"),
        ([one(.exists), one(.isNotIn(["", "any"]))], "k8s:a=a"),
        ([one(.has(.anywhere, "x")), one(.isNotIn(["x"]))], "k8s:a=axa"),
        ([one(.has(.start, "ab")), one(.isNotIn(["ab"]))], "k8s:a=aba"),
        ([one(.has(.end, "z")), one(.isNotIn(["z"])), one(.hasNot(.anywhere, "a"))], "k8s:a=bz"),
        (
            [one(.exists), one(.isNotIn(["", "any"] + "abcdefghijklmnopqrstuvwxyz0123456789".map(String.init)))],
            "k8s:a=aa"
        ),
    ])
    func `the fewest labels are found with which somebody is selected`(requirements: [LabelRequirement], labels: String)
    {
        #expect(LabelSelector(requirements).fittingLabels()?.description == labels)
    }

    @Test func `what cannot be had by labels is not found`() {
        let reserved = LabelRequirement(source: LabelSource.reserved, key: "host", .exists)
        #expect(LabelSelector([Self.one(.isIn(["x"])), Self.one(.isNotIn(["x"]))]).fittingLabels() == nil)
        #expect(LabelSelector([Self.one(.exists), Self.one(.doesNotExist)]).fittingLabels() == nil)
        #expect(LabelSelector([Self.one(.exists, of: "profile:lab")]).fittingLabels() == nil, "documents give it")
        #expect(LabelSelector([reserved]).fittingLabels() == nil)
        #expect(LabelSelector([reserved]).fittingLabels(besides: .ofHost) == .ofHost)
    }
}
