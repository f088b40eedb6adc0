// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import LinuxHost
import NetworkModel
import PolicyModel
import Testing

@testable import PolicyCompiler

/// What looking at policies costs, by their number: twice as many take twice as long, not four times.
@Suite(.serialized) struct LintCostTests {
    private static let few = 400
    private static let many = 4 * few

    /// Policies that have as much to do with each other as can be.
    enum Kind: CaseIterable {
        /// All for one application: every rule may cover every other one.
        case oneSubject
        /// Each for an application of its own, and none that resolves names.
        case manySubjects
        /// Of hosts, denied in part: each is asked whether others close SSH.
        case hosts
        /// In a tier and with a profile that documents define.
        case tier
    }

    private static func policies(_ kind: Kind, _ count: Int) -> [Policy] {
        var all = (0..<count).map { index in
            let peer = PeerSelection.some([.labels(.app("peer-\(index)"))])
            let ports = PortSelection.some([.range(.tcp, UInt16(1000 + index)...UInt16(1000 + index))])
            var policy = Policy.test(
                "p-\(index)", for: kind == .oneSubject ? "web" : "app-\(index)", closes: [.ingress, .egress],
                rules: [(.ingress, kind == .hosts ? .deny : .allow, peer, ports), (.egress, .allow, peer, ports)])
            if kind == .hosts {
                let host = SubjectSelector.hosts(.app("app-\(index)"))
                for rule in policy.rules.indices { policy.rules[rule].subject = host }
                policy.defaultDeny = [DefaultDeny(subject: host, direction: .ingress)]
            }
            if kind == .tier {
                policy.tier = .own("security")
                policy.order = .ordered(Double(index))
            }
            return policy
        }
        if kind == .tier {
            var tier = Policy.test("zz", for: "nobody", closes: [], rules: [])
            tier.definedTier = TierDefinition(name: "security", order: 1)
            all.append(tier)
        }
        return all
    }

    private static func seconds(_ body: () -> Void) -> Double {
        let start = HostClock.threadNanoseconds()
        body()
        return Double(HostClock.threadNanoseconds() - start) / 1e9
    }

    @Test(arguments: Kind.allCases) func `four times as many policies take some four times as long`(kind: Kind) {
        let (few, many) = (Self.policies(kind, Self.few), Self.policies(kind, Self.many))
        var counts: [Int] = []
        // The least of two: others on this machine only ever add.
        let times = [few, many].map { policies in
            (0..<2).map { _ in
                Self.seconds { counts.append(PolicyReview(policies).run().findings.count) }
            }.min() ?? 0
        }
        #expect(counts[2] >= Self.many / 2, "\(counts) findings: nothing was looked at")
        #expect(times[1] < times[0] * 9, "\(kind): \(times[0]) s for \(Self.few), \(times[1]) s for \(Self.many)")
    }
}
