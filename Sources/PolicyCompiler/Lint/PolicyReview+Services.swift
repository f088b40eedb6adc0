// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel

/// What closing a direction cuts off that people forget: name resolution, ping, the way in.
extension PolicyReview {
    /// Egress that is closed and opened in part, but not to a resolver.
    func nameResolution(of policy: Policy) -> [LintFinding] {
        var found: [LintFinding] = []
        let closed = policy.defaultDeny.filter { $0.direction == .egress && $0.subject.kind == .workload }
        for subject in Set(closed.map(\.subject)).sorted(by: { $0.description < $1.description }) {
            // A policy that opens nothing is meant to isolate.
            let opened = policy.rules.first {
                $0.isAllowing(.egress) && $0.canMatch && PolicyReview.mayMeet($0.subject, subject)
            }
            guard let opened, !services.dns.contains(for: subject, where: { mayReachResolver($0, subject) }) else {
                continue
            }
            found.append(
                finding(
                    policy, .warning, .dnsBlocked,
                    "egress of \(subject) is closed but for some rules, and none of them leads to a resolver (UDP port "
                        + "53): names are not resolved", remedy: "allow UDP and TCP port 53 to the resolver",
                    at: opened.origin))
        }
        for rule in policy.rules where rule.isAllowing(.egress) && rule.names(.udp, 53) {
            guard closed.contains(where: { PolicyReview.mayMeet($0.subject, rule.subject) }),
                !services.dnsOverTCP.contains(for: rule.subject)
            else { continue }
            found.append(
                finding(
                    policy, .note, .dnsOverTCPBlocked,
                    "port 53 is open over UDP only: answers that do not fit into one packet come over TCP",
                    remedy: policy.reference.language == .calico
                        ? "write the same rule for `protocol: TCP` too" : "add TCP port 53 to the rule",
                    at: rule.origin))
        }
        return found
    }

    /// Directions that are opened for ports, with no word about ICMP.
    func ping(of policy: Policy) -> [LintFinding] {
        var cut: [Direction] = []
        var place: RuleOrigin?
        for direction in [Direction.ingress, .egress] {
            for closed in policy.defaultDeny where closed.direction == direction && !cut.contains(direction) {
                let opened = policy.rules.first {
                    $0.isAllowing(direction) && $0.ports != .all && $0.canMatch
                        && PolicyReview.mayMeet($0.subject, closed.subject)
                }
                guard let opened, !(services.ping[direction]?.contains(for: closed.subject) ?? false) else { continue }
                cut.append(direction)
                place = place ?? opened.origin
            }
        }
        guard let place else { return [] }
        return [
            finding(
                policy, .note, .icmpBlocked,
                "rules with ports do not cover ICMP, so ping is denied on "
                    + cut.map(\.description).joined(separator: " and ") + "; errors about connections still pass",
                remedy: "allow ICMP echo requests with a rule of their own (\(echo(in: policy))) if ping is wanted",
                at: place)
        ]
    }

    /// How to write ICMP echo requests; a NetworkPolicy of Kubernetes has no way.
    private func echo(in policy: Policy) -> String {
        switch policy.reference.language {
        case .kubernetes: "`icmps` of a Cilium policy"
        case .cilium: "`icmps`"
        case .calico: "`protocol: ICMP` with `icmp: {type: 8}`, `protocol: ICMPv6` with `icmp: {type: 128}`"
        }
    }

    /// Hosts whose ingress is closed to SSH from outside.
    func hostAccess(of policy: Policy) -> [LintFinding] {
        let ssh = OpenPort(direction: .ingress, proto: .tcp, port: 22)
        guard surroundings.openPorts?.contains(ssh) != true, surroundings.isHostEndpoint != false else { return [] }
        for closed in policy.defaultDeny where closed.direction == .ingress && closed.subject.isForHosts {
            let isOpen = services.ssh.contains(for: closed.subject)
            let deny = services.sshDenied.first(for: closed.subject)
            guard !isOpen || deny != nil else { continue }
            let isKnown = surroundings.openPorts != nil
            return [
                finding(
                    policy, isKnown ? .warning : .note, .hostAccessCut,
                    "\(closed.subject) are closed to SSH (TCP port 22) from outside"
                        + (deny.map { " by \($0.origin.text)" } ?? "")
                        + (isKnown ? "" : ", unless a failsafe port of the agent keeps it open (by default it does)"),
                    remedy: "allow TCP port 22 from the network you administer from")
            ]
        }
        return []
    }

    // MARK: Questions

    /// Who writes port 53 knows where the resolver is; a rule for all ports must lead out of the own namespace.
    private func mayReachResolver(_ rule: PolicyRule, _ subject: SubjectSelector) -> Bool {
        guard !rule.names(.udp, 53), case .some(let selectors) = rule.peers else { return true }
        let own = subject.labels.namespaces ?? rule.subject.labels.namespaces
        return selectors.contains { selector in
            guard case .labels(let labels) = selector, let namespaces = labels.namespaces, let own else { return true }
            return namespaces != own
        }
    }
}

/// Allow rules that open what policies forget, by the service and the namespace they speak for.
struct ServiceRules {
    let dns: SubjectIndex
    let dnsOverTCP: SubjectIndex
    /// Of hosts, for somebody outside.
    let ssh: SubjectIndex
    /// Deny rules about the same.
    let sshDenied: SubjectIndex
    let ping: [Direction: SubjectIndex]

    init(_ rules: [PolicyRule]) {
        func index(_ direction: Direction, _ isMeant: (PolicyRule) -> Bool) -> SubjectIndex {
            SubjectIndex(rules.filter { $0.isAllowing(direction) && isMeant($0) && $0.canMatch }, of: rules.count)
        }
        let isForSSH = { (rule: PolicyRule) in
            rule.subject.isForHosts && rule.covers(.tcp, 22) && rule.concernsOutside
        }
        dns = index(.egress) { $0.covers(.udp, 53) }
        dnsOverTCP = index(.egress) { $0.covers(.tcp, 53) }
        ssh = index(.ingress, isForSSH)
        sshDenied = SubjectIndex(
            rules.filter { $0.direction == .ingress && $0.action == .deny && isForSSH($0) }, of: rules.count)
        let isPing = { (rule: PolicyRule) in rule.covers(.icmp, 8 << 8) || rule.covers(.icmpv6, 128 << 8) }
        ping = [.ingress: index(.ingress, isPing), .egress: index(.egress, isPing)]
    }

    /// Rules by the namespace of their subject: policies of many namespaces do not meet.
    struct SubjectIndex {
        private struct Group {
            let subject: SubjectSelector
            var rules: [PolicyRule]
        }

        /// By subject: many rules speak for the same.
        private var groups: [Group] = []
        private var byNamespace: [String: [Int]] = [:]
        private var others: [Int] = []
        /// Rules that one question looks at: all of them in sets that people write.
        ///
        /// In huge ones it is fewer, and then the answer is that there is such a rule, so that a finding may be missing but none is wrong.
        private let looksMax: Int

        /// `count`: of all rules, each of which may ask.
        init(_ rules: [PolicyRule], of count: Int) {
            looksMax = max(200, 4_000_000 / max(1, count))
            var known: [SubjectSelector: Int] = [:]
            for rule in rules {
                if let index = known[rule.subject] {
                    groups[index].rules.append(rule)
                    continue
                }
                known[rule.subject] = groups.count
                if let namespaces = rule.subject.labels.namespaces {
                    for namespace in namespaces { byNamespace[namespace, default: []].append(groups.count) }
                } else {
                    others.append(groups.count)
                }
                groups.append(Group(subject: rule.subject, rules: [rule]))
            }
        }

        /// True if a rule suits that may speak for an endpoint of this subject.
        func contains(for subject: SubjectSelector, where suits: (PolicyRule) -> Bool = { _ in true }) -> Bool {
            var left = looksMax
            return first(for: subject, left: &left, where: suits) != nil || left <= 0
        }

        /// The first rule that may speak for an endpoint of this subject; nil if none is found.
        func first(for subject: SubjectSelector) -> PolicyRule? {
            var left = looksMax
            return first(for: subject, left: &left) { _ in true }
        }

        private func first(
            for subject: SubjectSelector, left: inout Int, where suits: (PolicyRule) -> Bool
        ) -> PolicyRule? {
            func look(_ indices: some Sequence<Int>) -> PolicyRule? {
                for index in indices {
                    guard left > 0 else { return nil }
                    left -= 1
                    guard PolicyReview.mayMeet(groups[index].subject, subject) else { continue }
                    for position in groups[index].rules.indices {
                        if suits(groups[index].rules[position]) { return groups[index].rules[position] }
                        left -= 1
                        if left <= 0 { return nil }
                    }
                }
                return nil
            }
            guard let namespaces = subject.labels.namespaces else { return look(groups.indices) }
            for namespace in namespaces {
                if let found = look(byNamespace[namespace] ?? []) { return found }
            }
            return look(others)
        }
    }
}

extension LabelSelector {
    /// The namespaces it is limited to; nil: any.
    fileprivate var namespaces: [String]? {
        for requirement in requirements where requirement.key == WellKnownLabel.namespace {
            if case .isIn(let values) = requirement.operation { return values }
        }
        return nil
    }
}

extension PolicyRule {
    /// True if it speaks of somebody who is no workload; a deny rule only if it surely does.
    fileprivate var concernsOutside: Bool {
        guard case .some(let selectors) = peers else { return true }
        let outside = LabelSet([Label(source: LabelSource.reserved, key: "world")])
        return selectors.contains { selector in
            if case .labels(let labels) = selector { labels.matches(outside) } else { action == .allow }
        }
    }

    fileprivate func isAllowing(_ direction: Direction) -> Bool { self.direction == direction && action == .allow }

    /// True if it covers the port; a name may stand for any.
    fileprivate func covers(_ proto: IPProtocol, _ port: UInt16) -> Bool {
        guard case .some(let matches) = ports else { return true }
        return matches.contains { match in
            switch match {
            case .range(let mine, let range): mine == proto && range.contains(port)
            case .named(let mine, let name):
                mine == proto && (port != 53 || ["dns", "domain"].contains { name.hasPrefix($0) })
            case .icmpType(let mine, let type): mine == proto && (type.map { UInt16($0) << 8 == port } ?? true)
            case .wholeProtocol(let mine): mine == proto
            case .without(let difference):
                difference.proto == proto
                    && (!difference.names.isEmpty || difference.ranges { _, _ in [] }.contains { $0.contains(port) })
            // Which ports a service has is not known here.
            case .ofServices(let selector): (selector.proto ?? proto) == proto
            }
        }
    }

    /// True if it means this port rather than many.
    fileprivate func names(_ proto: IPProtocol, _ port: UInt16) -> Bool {
        guard case .some(let matches) = ports else { return false }
        return matches.contains { match in
            switch match {
            case .range(let mine, let range): mine == proto && range.contains(port) && range.count < 1024
            case .named(let mine, let name): mine == proto && ["dns", "domain"].contains { name.hasPrefix($0) }
            default: false
            }
        }
    }
}
