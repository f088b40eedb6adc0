// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel

/// Asks, for every allow rule, whether the other end lets through what it allows.
struct OtherEnds {
    private let review: PolicyReview
    private let explainer: Explainer
    private let workloads: [VerdictComparison.Party]
    private var focused: [Int: Explainer] = [:]
    private var questions: Int
    private(set) var unjudgedRules = 0

    /// Endpoints of a side to try, and ports.
    private static let endpointsMax = 12
    private static let portsMax = 4

    init(_ review: PolicyReview) {
        self.review = review
        explainer = Explainer(policies: review.policies, options: review.surroundings.options)
        workloads = (review.surroundings.workloads ?? []).filter(\.side.isEndpoint)
        questions = review.surroundings.questionsMax
    }

    mutating func findings(of policy: Policy) -> [LintFinding] {
        guard !workloads.isEmpty else { return [] }
        return policy.rules.compactMap { rule in
            guard rule.action == .allow, rule.canMatch, case .some(let selectors) = rule.peers else { return nil }
            let labels = selectors.compactMap { selector in
                if case .labels(let labels) = selector { labels } else { nil }
            }
            // Who also speaks of addresses may mean others.
            guard labels.count == selectors.count else { return nil }
            return finding(of: rule, labels, policy)
        }
    }

    private mutating func finding(of rule: PolicyRule, _ peers: [LabelSelector], _ policy: Policy) -> LintFinding? {
        let subjects = indices { rule.subject.selects($0) }
        let others = indices { side in peers.contains { $0.matches(side.labels) } }
        var example: (String, Explanation.Side)?
        for subject in subjects {
            for other in others where other != subject {
                for key in rule.portKeys(destination(rule, subject, other)).prefix(OtherEnds.portsMax) {
                    guard questions > 0 else {
                        unjudgedRules += 1
                        return nil
                    }
                    questions -= 1
                    let side = judge(rule, subject, other, key)
                    guard side.verdict == .deny, key.prefixLength == 16 || !side.isOpenForOtherPorts else { return nil }
                    example = example ?? ("\(workloads[subject].name) and \(workloads[other].name)", side)
                }
            }
        }
        guard let (pair, side) = example else { return nil }
        let other = rule.direction == .egress ? "ingress" : "egress"
        return review.finding(
            policy, .warning, .otherEndDenies,
            "what it allows is denied at the other end, by \(side.cause?.text ?? "a policy") (\(other), as between \(pair))",
            remedy: "allow it in a policy of the other end too, or remove the rule", at: rule.origin)
    }

    private func indices(_ isMeant: (ExplainedSide) -> Bool) -> [Int] {
        var found: [Int] = []
        for index in workloads.indices where isMeant(workloads[index].side) {
            found.append(index)
            if found.count == OtherEnds.endpointsMax { break }
        }
        return found
    }

    private func destination(_ rule: PolicyRule, _ subject: Int, _ other: Int) -> NamedPorts {
        rule.direction == .ingress ? workloads[subject].side.namedPorts : workloads[other].side.sharedPorts
    }

    private mutating func judge(
        _ rule: PolicyRule, _ subject: Int, _ other: Int, _ key: PortKey
    ) -> Explanation.Side {
        let asked = focused[other] ?? explainer.focused(on: [workloads[other].side])
        focused[other] = asked
        let direction: Direction = rule.direction == .egress ? .ingress : .egress
        // A rule for all ports is tried with one that rules seldom name.
        let isAll = key == .allProtocols
        return asked.explain(
            at: workloads[other].side, peer: workloads[subject].side, direction: direction,
            proto: isAll ? .tcp : IPProtocol(rawValue: key.proto), port: isAll ? nil : key.port)
    }
}

extension Explanation.Side {
    /// A rule lets the peer in, for ports that were not asked about.
    fileprivate var isOpenForOtherPorts: Bool {
        findings.contains { $0.action == .allow && $0.outcome == .portDiffers }
    }
}

extension PolicyReview {
    /// Ports that a workload declares and that its policies open to nobody.
    func declaredPorts(_ meant: [Policy]) -> [LintFinding] {
        var found: [LintFinding] = []
        var seen: Set<String> = []
        for party in surroundings.workloads ?? [] where party.side.isEndpoint {
            let closers = meant.filter { policy in
                policy.defaultDeny.contains { $0.direction == .ingress && $0.subject.selects(party.side) }
            }
            guard let closer = closers.first(where: { !$0.isAudit }) else { continue }
            let open = rules.filter {
                $0.direction == .ingress && $0.action == .allow && $0.canMatch && $0.subject.selects(party.side)
            }
            let ports = party.side.namedPorts
            for (port, numbers) in ports.numbers.sorted(by: { $0.key.name < $1.key.name }) {
                let isOpen = open.contains { rule in
                    rule.portKeys(ports).contains { key in
                        numbers.contains { key.covers(proto: port.proto, port: $0) }
                    }
                }
                guard !isOpen, seen.insert("\(closer.reference.text) \(port.proto) \(port.name)").inserted else {
                    continue
                }
                let number = numbers.sorted().map(String.init).joined(separator: ",")
                found.append(
                    finding(
                        closer, .warning, .declaredPortClosed,
                        "\(party.name) declares port \(port.name) (\(port.proto)/\(number)), and no rule lets anybody "
                            + "reach it", remedy: "allow it to those who need it, or stop declaring it"))
            }
        }
        return found
    }
}
