// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
package import PolicyModel

/// Made-up but typical input of any size, the same for the same sizes: for benchmarks and tests of scale.
package struct CompilerWorkload: Sendable {
    package var policyCount: Int
    package var subjectCount: Int
    package var identityCount: Int

    package init(policyCount: Int = 1000, subjectCount: Int = 500, identityCount: Int = 10_000) {
        self.policyCount = policyCount
        self.subjectCount = subjectCount
        self.identityCount = identityCount
    }

    /// Namespaces of fifty applications with three tiers; every policy closes one application's tier of a namespace
    /// and lets in another one by labels, a whole namespace's tier, or a prefix, on one to three ports.
    package func input() -> CompileInput {
        CompileInput(
            subjects: (0..<subjectCount).map {
                CompileSubject(slot: UInt16($0), identity: identity($0), labels: labels($0))
            },
            peers: (0..<identityCount).map {
                ResolvedIdentity(identity: identity($0), labels: labels($0), isWorkload: true)
            } + prefixes(),
            policies: (0..<policyCount).map(policy))
    }

    /// A policy by number; `port` tells variants of the same policy apart.
    package func policy(_ number: Int, port: UInt16) -> Policy {
        var policy = policy(number)
        policy.rules[0].ports = .some([.range(.tcp, port...port)])
        return policy
    }

    private static let tiers = ["front", "api", "store"]
    private static let appCount = 50

    private func identity(_ number: Int) -> NumericIdentity { NumericIdentity(rawValue: UInt32(256 + number)) }

    private func labels(_ number: Int) -> LabelSet {
        let tier = CompilerWorkload.tiers[number % 3]
        let app = number / 3 % CompilerWorkload.appCount
        let namespace = number / (3 * CompilerWorkload.appCount)
        return LabelSet([
            Label(source: "k8s", key: WellKnownLabel.namespace, value: "team-\(namespace)"),
            Label(source: "k8s", key: "app", value: "app-\(app)"),
            Label(source: "k8s", key: "tier", value: tier),
            Label(source: "k8s", key: "pod-template-generation", value: "1"),
        ])
    }

    private func prefix(_ number: Int) -> CIDR {
        CIDR(IPAddress(v4: 0xc612_0000 &+ UInt32(truncatingIfNeeded: number % 400) << 8), length: 24)
    }

    private func prefixes() -> [ResolvedIdentity] {
        (0..<min(policyCount, 400)).map { number in
            ResolvedIdentity(
                identity: NumericIdentity(rawValue: NumericIdentity.localRange.lowerBound + UInt32(number)),
                labels: LabelSet([Label(source: LabelSource.reserved, key: "world")]), prefix: prefix(number))
        }
    }

    private func selector(_ member: Int, withApp: Bool = true) -> LabelSelector {
        LabelSelector(
            labels(member).labels.filter { $0.key != "pod-template-generation" && (withApp || $0.key != "app") }
                .map { LabelRequirement(key: $0.key, .isIn([$0.value])) })
    }

    private func policy(_ number: Int) -> Policy {
        let location = SourceLocation(file: "workload.yaml", line: number + 1, column: 1)
        let reference = PolicyReference(kind: "CiliumNetworkPolicy", namespace: "team", name: "policy-\(number)")
        let subject = SubjectSelector.endpoints(selector(number % max(1, subjectCount)))
        let peers: [PeerSelection] = [
            .some([.labels(selector((number * 7 + 3) % max(1, identityCount)))]),
            .some([.labels(selector((number * 13 + 5) % max(1, identityCount), withApp: false))]),
            .some([.prefix(prefix(number), except: [], includesWorkloads: false)]),
        ]
        let rules = peers.enumerated().map { index, peers in
            PolicyRule(
                origin: RuleOrigin(policy: reference, section: "ingress", index: index, source: location),
                subject: subject, direction: .ingress, action: number % 10 == 9 && index == 1 ? .deny : .allow,
                peers: peers,
                ports: .some((0...(number % 3)).map { .range(.tcp, UInt16(8000 + $0)...UInt16(8000 + $0)) }))
        }
        return Policy(
            reference: reference, source: location, rules: rules,
            defaultDeny: [DefaultDeny(subject: subject, direction: .ingress)])
    }
}
