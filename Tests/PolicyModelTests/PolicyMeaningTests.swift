// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel
import Testing

@Suite struct PolicyMeaningTests {
    private static func policy(_ lines: [Int], ports: [UInt16], order: PolicyOrder = .together) -> Policy {
        let reference = PolicyReference(kind: "K", namespace: "", name: "p")
        let rules = zip(lines, ports).enumerated().map { index, pair in
            PolicyRule(
                origin: RuleOrigin(
                    policy: reference, section: "ingress", index: index,
                    source: SourceLocation(file: "f", line: pair.0, column: 1)),
                subject: .endpoints(LabelSelector()), direction: .ingress,
                ports: .some([.range(.tcp, pair.1...pair.1)]))
        }
        return Policy(
            reference: reference, source: SourceLocation(file: "f", line: lines[0], column: 1), rules: rules,
            defaultDeny: [], order: order)
    }

    @Test func `a place in a file is no part of what a policy means`() {
        let (old, new) = (Self.policy([1, 2], ports: [80, 81]), Self.policy([5, 9], ports: [80, 81]))
        #expect(old != new && PolicyMeaning.differing([old], [new]).isEmpty)
        var exempt = new
        exempt.lintExemptions = [.dnsBlocked: "meant"]
        #expect(PolicyMeaning.differing([old], [exempt]).isEmpty)
        #expect(PolicyMeaning.differing([old], []) == [old.reference])
    }

    @Test func `rules mean something else, and in another order only where the first one wins`() {
        let old = Self.policy([1, 2], ports: [80, 81])
        #expect(PolicyMeaning.differing([old], [Self.policy([1, 2], ports: [80, 82])]) == [old.reference])
        #expect(PolicyMeaning.differing([old], [Self.policy([1, 2], ports: [81, 80])]).isEmpty)
        let ordered = [[80, 81], [81, 80]].map { Self.policy([1, 2], ports: $0, order: .ordered(1)) }
        #expect(PolicyMeaning.differing([ordered[0]], [ordered[1]]) == [old.reference])
    }
}
