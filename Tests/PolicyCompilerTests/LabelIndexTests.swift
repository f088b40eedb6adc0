// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import Testing

@testable import PolicyCompiler

@Suite struct LabelIndexTests {
    private final class User {}

    private static func selector(_ labels: [(String, String)]) -> LabelSelector {
        LabelSelector(labels.map { LabelRequirement(source: "k8s", key: $0.0, .isIn([$0.1])) })
    }

    private static func labels(_ labels: [(String, String)]) -> LabelSet {
        LabelSet(labels.map { Label(source: "k8s", key: $0.0, value: $0.1) })
    }

    @Test(arguments: [false, true])
    func `a newcomer is compared with few of its namespace's selectors`(isNamespaceFirst: Bool) {
        var index = LabelIndex<User>()
        let user = User()
        for application in 0..<1000 {
            var labels = [("app", "a\(application)"), ("namespace", "shop")]
            if isNamespaceFirst { labels.reverse() }
            _ = index.use(Self.selector(labels), by: user)
        }
        let newcomer = Self.labels([("app", "a7"), ("namespace", "shop")])
        #expect(index.possibleSelectors(newcomer).count <= 2)
        #expect(index.insert(1, newcomer).count == 1)
        #expect(index.remove(1).count == 1)
    }

    @Test func `selectors of one application in many namespaces are told apart by the namespace`() {
        var index = LabelIndex<User>()
        let user = User()
        for namespace in 0..<1000 {
            _ = index.use(Self.selector([("app", "web"), ("namespace", "n\(namespace)")]), by: user)
        }
        #expect(index.possibleSelectors(Self.labels([("app", "web"), ("namespace", "n7")])).count <= 2)
    }
}
