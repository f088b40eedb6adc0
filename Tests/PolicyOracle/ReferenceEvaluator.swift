// SPDX-License-Identifier: Apache-2.0

/// What policies mean, said slowly and obviously: reads the documents of a policy test by itself and answers each probe
/// by walking through them, without index, identity or table.
///
/// The evaluators of the dialects stand in files of their own; here stands the order in which they are asked
/// (docs/reference/policies.md, "Order of evaluation").
package struct ReferenceEvaluator {
    package enum Verdict: String {
        case allow
        case deny
        /// Allowed, but policies in audit mode would deny it.
        case audit
    }

    private typealias Question = ReferenceQuestion

    /// Verdicts of the ends whose policies are asked: egress of the source, ingress of the destination.
    package struct Judgement: Hashable {
        package var egress: Verdict?
        package var ingress: Verdict?
        /// Of a host on the way: where the packet comes in, and where it leaves.
        package var passageIn: Verdict?
        package var passageOut: Verdict?

        /// Of all of them together.
        package var verdict: Verdict {
            let all = [egress, ingress, passageIn, passageOut]
            return all.contains(.deny) ? .deny : all.contains(.audit) ? .audit : .allow
        }
    }

    private let cluster: ReferenceCluster
    private let policies: [CaseNode]
    private let objects: ReferenceClusterObjects
    private let sets: [ReferenceSet]
    private let tiers: [ReferenceTier]
    private let profiles: ReferenceProfiles

    /// `test`: a document of kind PolicyTest whose policies are inline.
    package init(_ test: CaseNode) {
        cluster = ReferenceCluster(test)
        policies = (test["policies"]?.elements ?? []).compactMap { $0["inline"] }
        objects = ReferenceClusterObjects(policies)
        sets = policies.filter {
            ["NetworkSet", "GlobalNetworkSet", "HostEndpoint"].contains($0["kind"]?.string ?? "")
        }
        .map(ReferenceSet.init)
        tiers = ReferenceTier.all(policies)
        profiles = ReferenceProfiles(policies)
    }

    /// Nil if the probe makes no sense.
    package func judge(_ probe: CaseNode) -> Judgement? {
        guard let traffic = cluster.traffic(of: probe), let source = cluster.end(probe, "from"),
            let destination = cluster.end(probe, "to")
        else { return nil }
        var judgement = Judgement()
        judgement.egress = judge(source, .egress, of: destination, traffic)
        judgement.ingress = judge(destination, .ingress, of: source, traffic)
        guard let host = cluster.host(probe) else { return judgement }
        // What begins or ends at a workload of the host crosses a device of it on the other side only.
        if cluster.node(of: source) != cluster.node(of: host) {
            judgement.passageIn = judge(host, .ingress, of: source, traffic, isForwarded: true)
        }
        if cluster.node(of: destination) != cluster.node(of: host) {
            judgement.passageOut = judge(host, .egress, of: destination, traffic, isForwarded: true)
        }
        return judgement
    }

    // MARK: - One end

    /// Nil if the end has no policies, as it is outside, or if no policy of it is asked.
    private func judge(
        _ own: ReferenceCluster.End, _ direction: Question.Direction, of other: ReferenceCluster.End,
        _ traffic: ReferenceTraffic, isForwarded: Bool = false
    ) -> Verdict? {
        guard let node = cluster.node(of: own), !isUnseen(own, other, on: node) else { return nil }
        var question = Question(
            subject: cluster.party(own, from: node), peer: objects.described(cluster.party(other, from: node)),
            direction: direction, traffic: traffic, isForwarded: isForwarded)
        // Names of ports are the host's own.
        if isForwarded { question.subject.ports = [] }
        let answered = Self.answered(by: traffic)
        let isToItself = own.address == other.address
        let enforced = policies.filter {
            $0["metadata"]?["annotations"]?["bulkhead.dev/mode"]?.string != "audit"
                && !ReferenceCalicoPolicy.isStaged($0)
        }
        // What is staged is rehearsed in the place of the policy of that name.
        let rehearsed = policies.filter { !ReferenceCalicoPolicy.isReplaced($0, by: policies) }
        for set in sets where set.contains(question.peer.address) { question.peer.sets.append(set) }
        question.peer.setsOfNames = sets.filter { $0.hasName(of: question.peer) }
        var isRehearsalDenied = false
        if own.workload?.isHostNetwork ?? false, !isToItself {
            // Packet by packet: what answers is not judged as what it answers.
            var packet = question
            packet.subject.ports = []
            packet.peer.setsOfNames = []
            isRehearsalDenied = isDeniedUntracked(by: rehearsed, packet) ?? false
            if let isDenied = isDeniedUntracked(by: enforced, packet) {
                return isDenied ? .deny : isRehearsalDenied ? .audit : .allow
            }
        }
        // Everybody reaches itself; but what arrives as a reply it never asked itself for.
        if isToItself, answered == nil || direction == .ingress { return .allow }
        if let answered {
            // An unasked reply counts as the exchange that the other side would have begun.
            question.traffic.port = answered
            question.direction = direction == .egress ? .ingress : .egress
        }
        if isDenied(by: enforced, question, node: node) { return .deny }
        return isRehearsalDenied || isDenied(by: rehearsed, question, node: node) ? .audit : .allow
    }

    /// What a node exchanges with its own workloads, or with itself, leaves by none of the devices it is judged at.
    private func isUnseen(_ own: ReferenceCluster.End, _ other: ReferenceCluster.End, on node: String) -> Bool {
        guard own.workload?.isHostNetwork ?? false, let peer = other.workload else { return false }
        return peer.node == node
    }

    private static func answered(by traffic: ReferenceTraffic) -> Int? {
        switch (traffic.proto, traffic.port) {
        case ("ICMP", 0): 8
        case ("ICMP", 14): 13
        case ("ICMPv6", 129): 128
        default: nil
        }
    }

    /// Tier after tier until one decides; behind them all is open.
    private func isDenied(by policies: [CaseNode], _ question: Question, node: String) -> Bool {
        if let isDenied = isDeniedBeforeTranslation(by: policies, question) { return isDenied }
        for tier in tiers where !question.isForwarded || tier.kind == .calico {
            let answer =
                tier.kind == .profile
                ? profiles.isDenied(question, by: policies, node: node) : isDenied(in: tier, by: policies, question)
            if let isDenied = answer { return isDenied }
        }
        return false
    }

    /// Calico's doNotTrack policies, tier after tier; nil: no rule of them decides, for they close nothing.
    private func isDeniedUntracked(by policies: [CaseNode], _ question: Question) -> Bool? {
        typealias Calico = ReferenceCalicoPolicy
        for tier in tiers where tier.kind == .calico {
            let own = policies.filter {
                Calico.isPolicy($0) && Calico.isUntracked($0) && Calico.tier(of: $0) == tier.name
            }
            .sorted { Calico.place(of: $0) < Calico.place(of: $1) }
            search: for policy in own {
                switch Calico.answer(policy, question) {
                case .allowed: return false
                case .denied: return true
                case .passed: break search
                case .closed, .silent: break
                }
            }
        }
        return nil
    }

    /// Calico's preDNAT policies, for what reaches the host's devices; nil: no rule of them decides.
    private func isDeniedBeforeTranslation(by policies: [CaseNode], _ question: Question) -> Bool? {
        typealias Calico = ReferenceCalicoPolicy
        guard question.subject.kind == .host else { return nil }
        let own = policies.filter { Calico.isPolicy($0) && Calico.isPreDNAT($0) }
            .sorted { Calico.place(of: $0) < Calico.place(of: $1) }
        for policy in own {
            switch Calico.answer(policy, question) {
            case .allowed: return false
            case .denied: return true
            case .passed: return nil
            case .closed, .silent: break
            }
        }
        return nil
    }

    /// Nil if the tier leaves the decision to the next one.
    private func isDenied(in tier: ReferenceTier, by policies: [CaseNode], _ question: Question) -> Bool? {
        let admin: ReferenceAdminPolicy.Tier
        switch tier.kind {
        case .calico, .profile: return isDeniedByCalico(tier, policies, question)
        case .admin: admin = .admin
        case .baseline: admin = .baseline
        }
        let own = policies.filter { ReferenceAdminPolicy.kinds.contains($0["kind"]?.string ?? "") }
        switch ReferenceAdminPolicy.answer(own, admin, question) {
        case .allowed: return false
        case .denied: return true
        case .passed, nil: return nil
        }
    }

    /// Calico's policies by order; in the default tier the others stand together at order 1000.
    private func isDeniedByCalico(_ tier: ReferenceTier, _ policies: [CaseNode], _ question: Question) -> Bool? {
        typealias Calico = ReferenceCalicoPolicy
        let own = policies.filter {
            Calico.isPolicy($0) && !Calico.isPreDNAT($0) && !Calico.isUntracked($0)
                && Calico.tier(of: $0) == tier.name
                && (!question.isForwarded || Calico.isOnForward($0))
        }
        .sorted { Calico.place(of: $0) < Calico.place(of: $1) }
        var answers = own.filter { Calico.order(of: $0) <= 1000 }.map { Calico.answer($0, question) }
        if tier.name == "default", !question.isForwarded {
            answers.append(answerTogether(policies, question))
        }
        answers += own.filter { Calico.order(of: $0) > 1000 }.map { Calico.answer($0, question) }
        var isClosed = false
        for answer in answers {
            switch answer {
            case .allowed: return false
            case .denied: return true
            case .passed: return nil
            case .closed: isClosed = true
            case .silent: break
            }
        }
        guard isClosed, tier.closes else { return nil }
        // The host reaches its workloads.
        return !(question.direction == .ingress && question.peer.kind == .host && question.subject.kind == .workload)
    }

    /// NetworkPolicies and Cilium policies.
    private func answerTogether(_ policies: [CaseNode], _ question: Question) -> ReferenceCalicoPolicy.Answer {
        let cilium = policies.filter { ReferenceCiliumPolicy.kinds.contains($0["kind"]?.string ?? "") }
            .map { ReferenceCiliumPolicy.answer($0, question) }
        let kubernetes = policies.filter(ReferenceNetworkPolicy.isPolicy)
            .map { ReferenceNetworkPolicy.answer($0, question) }
        // Deny beats allow, whoever says it.
        if cilium.contains(where: \.isDenied) { return .denied }
        if cilium.contains(where: \.isAllowed) || kubernetes.contains(.allowed) { return .allowed }
        return cilium.contains(where: \.isClosed) || kubernetes.contains(.closed) ? .closed : .silent
    }
}
