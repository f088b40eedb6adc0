// SPDX-License-Identifier: Apache-2.0

/// NetworkPolicy and GlobalNetworkPolicy of Calico v3 by the letter of Calico's documentation and of the differences that
/// docs/reference/calico.md lists: the first rule that matches, policies by order and name.
enum ReferenceCalicoPolicy {
    enum Answer {
        /// Does not select the subject in this direction.
        case silent
        /// Selects it, and no rule matches.
        case closed
        case allowed
        case denied
        case passed
    }

    private typealias Party = ReferenceParty

    private static let kinds = [
        "NetworkPolicy", "GlobalNetworkPolicy", "StagedNetworkPolicy", "StagedGlobalNetworkPolicy",
    ]

    static func isCalico(_ document: CaseNode) -> Bool { document["apiVersion"]?.string == "projectcalico.org/v3" }

    /// A policy that is to be evaluated: no tier, no set, and none that is to be left alone.
    static func isPolicy(_ document: CaseNode) -> Bool {
        isCalico(document) && kinds.contains(document["kind"]?.string ?? "")
            && !["Ignore", "Delete"].contains(document["spec"]?["stagedAction"]?.string)
    }

    static func isStaged(_ document: CaseNode) -> Bool { document["kind"]?.string?.hasPrefix("Staged") ?? false }

    /// Whether a staged policy is to be, or to be deleted, in the place of this one.
    static func isReplaced(_ document: CaseNode, by policies: [CaseNode]) -> Bool {
        let isGlobal = document["kind"]?.string == "GlobalNetworkPolicy"
        let staged =
            isCalico(document)
            ? "Staged\(document["kind"]?.string ?? "")"
            : document["apiVersion"]?.string == "networking.k8s.io/v1" ? "StagedKubernetesNetworkPolicy" : ""
        func name(_ policy: CaseNode) -> String {
            let metadata = policy["metadata"]
            return "\(isGlobal ? "" : metadata?["namespace"]?.string ?? "default")/\(metadata?["name"]?.string ?? "")"
        }
        return policies.contains {
            $0["kind"]?.string == staged && $0["spec"]?["stagedAction"]?.string != "Ignore"
                && name($0) == name(document)
        }
    }

    /// Asked before every tier, about what comes in at a host.
    static func isPreDNAT(_ policy: CaseNode) -> Bool { policy["spec"]?["preDNAT"]?.isTrue ?? false }

    /// Asked about each packet at a host's devices, before everything else.
    static func isUntracked(_ policy: CaseNode) -> Bool { policy["spec"]?["doNotTrack"]?.isTrue ?? false }

    /// Asked about what passes through a host too.
    static func isOnForward(_ policy: CaseNode) -> Bool { policy["spec"]?["applyOnForward"]?.isTrue ?? false }

    /// Where it stands among others of its tier: by order, then by name.
    static func place(of policy: CaseNode) -> (Int, String) {
        (order(of: policy), policy["metadata"]?["name"]?.string ?? "")
    }

    static func tier(of policy: CaseNode) -> String { policy["spec"]?["tier"]?.string ?? "default" }

    /// Less is asked earlier; without an order last.
    static func order(of policy: CaseNode) -> Int { policy["spec"]?["order"]?.integer ?? Int.max }

    static func answer(_ policy: CaseNode, _ question: ReferenceQuestion) -> Answer {
        let isGlobal = policy["kind"]?.string?.contains("Global") ?? false
        let namespace = isGlobal ? nil : policy["metadata"]?["namespace"]?.string ?? "default"
        guard let spec = policy["spec"], types(spec).contains(question.direction),
            isMeant(spec, question.subject, namespace), isAccount(spec["serviceAccountSelector"], question.subject)
        else { return .silent }
        for rule in spec[question.direction.rawValue]?.elements ?? [] where matches(rule, question, namespace) {
            switch rule["action"]?.string {
            case "Allow": return .allowed
            case "Deny": return .denied
            case "Pass": return .passed
            // Log goes on with the next rule.
            default: continue
            }
        }
        return .closed
    }

    /// Missing: ingress if there are ingress rules or no rules at all, egress if there are egress rules.
    private static func types(_ spec: CaseNode) -> [ReferenceQuestion.Direction] {
        let listed = (spec["types"]?.elements ?? []).compactMap(\.string)
        if !listed.isEmpty {
            return (listed.contains("Ingress") ? [.ingress] : []) + (listed.contains("Egress") ? [.egress] : [])
        }
        let hasIngress = !(spec["ingress"]?.elements ?? []).isEmpty,
            hasEgress = !(spec["egress"]?.elements ?? []).isEmpty
        return (hasIngress || !hasEgress ? [.ingress] : []) + (hasEgress ? [.egress] : [])
    }

    // MARK: - Selectors

    /// Endpoints that Calico knows: workloads, and this host.
    private static func isEndpoint(_ party: Party) -> Bool { party.isWorkload || party.kind == .host }

    private static func matches(_ selector: String, _ party: Party) -> Bool {
        ReferenceCalicoSelector.matches(selector, isGlobal: !party.isWorkload) { key in
            if key == "projectcalico.org/namespace" { return party.isWorkload ? [party.namespace] : [] }
            return party.values(key)
        }
    }

    private static func isInNamespace(_ selector: String, _ party: Party) -> Bool {
        // Namespaces only, but for what asks for no namespace at all.
        guard party.isWorkload else { return selector == "global()" }
        return ReferenceCalicoSelector.matches(selector, isGlobal: false) { key in
            key == "projectcalico.org/name" ? [party.namespace] : ReferenceSelector.namespaceValues(key, party)
        }
    }

    /// Whether `selector` and `namespaceSelector` of a policy or an entity mean the party.
    private static func isMeant(_ entity: CaseNode, _ party: Party, _ namespace: String?) -> Bool {
        guard isEndpoint(party), matches(entity["selector"]?.string ?? "", party) else { return false }
        if let namespaces = entity["namespaceSelector"]?.string { return isInNamespace(namespaces, party) }
        return namespace == nil || (party.isWorkload && party.namespace == namespace)
    }

    // MARK: - Service accounts

    /// Labels of an account are those of the endpoint that begin with `pcsa.`.
    private static func isAccount(_ selector: CaseNode?, _ party: Party) -> Bool {
        guard let text = selector?.string else { return true }
        return ReferenceCalicoSelector.matches(text, isGlobal: !party.isWorkload) { key in
            party.values(key == "projectcalico.org/name" ? ReferenceProfiles.accountKey : "pcsa." + key)
        }
    }

    private static func isAccount(_ selector: CaseNode?, _ set: ReferenceSet) -> Bool {
        guard let text = selector?.string else { return true }
        return ReferenceCalicoSelector.matches(text, isGlobal: set.namespace == nil) { key in
            (set.labels[key == "projectcalico.org/name" ? ReferenceProfiles.accountKey : "pcsa." + key]).map { [$0] }
                ?? []
        }
    }

    private static func isNamed(_ names: CaseNode?, _ party: Party) -> Bool {
        let names = (names?.elements ?? []).compactMap(\.string)
        return names.isEmpty || party.values(ReferenceProfiles.accountKey).contains(where: names.contains)
    }

    // MARK: - Sets of prefixes

    private static func matches(_ selector: String, _ set: ReferenceSet) -> Bool {
        ReferenceCalicoSelector.matches(selector, isGlobal: set.namespace == nil) { key in
            if key == "projectcalico.org/namespace" { return set.namespace.map { [$0] } ?? [] }
            return set.labels[key].map { [$0] } ?? []
        }
    }

    /// Whether `selector` and `namespaceSelector` of an entity mean a set.
    ///
    /// Of its namespace's labels it has the name.
    private static func isMeant(_ entity: CaseNode, _ set: ReferenceSet, _ namespace: String?) -> Bool {
        guard matches(entity["selector"]?.string ?? "", set) else { return false }
        guard let namespaces = entity["namespaceSelector"]?.string else {
            return namespace == nil || set.namespace == namespace
        }
        guard let own = set.namespace else { return namespaces == "global()" }
        return ReferenceCalicoSelector.matches(namespaces, isGlobal: false) { key in
            ["projectcalico.org/name", "kubernetes.io/metadata.name"].contains(key) ? [own] : []
        }
    }

    // MARK: - Rules

    static func matches(_ rule: CaseNode, _ question: ReferenceQuestion, _ namespace: String?) -> Bool {
        let isIngress = question.direction == .ingress
        // At the policy's own end selectors mean labels only.
        var subject = question.subject, peer = question.peer
        subject.sets = []
        // Names of sets are for rules that let out what asked for them, and no rule asks more of a name.
        let isByAddress = rule["ipVersion"] != nil && !["ICMP", "ICMPv6"].contains(rule["protocol"]?.string)
        if isIngress || question.isForwarded || rule["action"]?.string != "Allow" || isByAddress {
            peer.setsOfNames = []
        }
        return isTraffic(rule, question)
            && isEnd(rule["source"] ?? [:], isIngress ? peer : subject, namespace)
            && isEnd(rule["destination"] ?? [:], isIngress ? subject : peer, namespace)
            && isPort(rule["destination"] ?? [:], question, namespace, isDenying: rule["action"]?.string == "Deny")
    }

    private static func isEnd(_ entity: CaseNode, _ party: Party, _ namespace: String?) -> Bool {
        let domains = (entity["domains"]?.elements ?? []).compactMap(\.string)
        if !domains.isEmpty {
            return domains.contains { text in
                party.names.contains { ReferenceDomainName.isMeant(byCalico: text, $0) }
            }
        }
        if let service = entity["services"] { return !services(service, party, namespace).isEmpty }
        let accounts = entity["serviceAccounts"]
        let isNarrowed =
            entity["selector"] != nil || entity["namespaceSelector"] != nil || accounts != nil
            || namespace != nil && entity["notSelector"] != nil
        if isNarrowed {
            let isEndpointMeant =
                isMeant(entity, party, namespace) && isAccount(accounts?["selector"], party)
                && isNamed(accounts?["names"], party)
            let isOnlySelected = ["nets", "notNets", "notSelector"].allSatisfy { entity[$0] == nil }
            let isSetMeant = (party.sets + (isOnlySelected ? party.setsOfNames : [])).contains {
                isMeant(entity, $0, namespace) && isAccount(accounts?["selector"], $0) && accounts?["names"] == nil
            }
            guard isEndpointMeant || isSetMeant else { return false }
        }
        // Leaves out who has labels: endpoints, and addresses in sets.
        if let unwanted = entity["notSelector"]?.string {
            if isEndpoint(party), matches(unwanted, party) { return false }
            if party.sets.contains(where: { matches(unwanted, $0) }) { return false }
        }
        let nets = entity["nets"]?.elements ?? [], notNets = entity["notNets"]?.elements ?? []
        return (nets.isEmpty || nets.contains { party.address.isInside($0.string ?? "") })
            && !notNets.contains { party.address.isInside($0.string ?? "") }
    }

    private static func isTraffic(_ rule: CaseNode, _ question: ReferenceQuestion) -> Bool {
        let traffic = question.traffic
        if let version = rule["ipVersion"]?.integer, (version == 4) != question.peer.address.isIPv4 { return false }
        if let wanted = rule["protocol"], !isProtocol(wanted, traffic) { return false }
        if let unwanted = rule["notProtocol"], isProtocol(unwanted, traffic) { return false }
        if let wanted = rule["icmp"], !isType(wanted, traffic) { return false }
        if let unwanted = rule["notICMP"], isType(unwanted, traffic) { return false }
        return true
    }

    private static func isProtocol(_ node: CaseNode, _ traffic: ReferenceTraffic) -> Bool {
        let numbers = ["TCP": "6", "UDP": "17", "SCTP": "132", "ICMP": "1", "ICMPv6": "58"]
        let (wanted, found) = (node.string ?? "", traffic.proto)
        return (numbers[wanted] ?? wanted) == (numbers[found] ?? found)
    }

    /// Codes of probes are 0.
    private static func isType(_ node: CaseNode, _ traffic: ReferenceTraffic) -> Bool {
        guard let type = node["type"]?.integer else { return true }
        return traffic.port == type && (node["code"]?.integer ?? 0) == 0
    }

    /// The services of that name that stand before somebody.
    private static func services(_ entry: CaseNode, _ party: Party, _ namespace: String?) -> [ReferenceService] {
        let wanted = entry["namespace"]?.string ?? namespace ?? ""
        return party.services.filter { $0.name == entry["name"]?.string && $0.namespace == wanted }
    }

    private static func isPort(
        _ destination: CaseNode, _ question: ReferenceQuestion, _ namespace: String?, isDenying: Bool
    ) -> Bool {
        if let service = destination["services"] {
            return services(service, question.peer, namespace).flatMap(\.ports).contains { port in
                guard port.proto == question.traffic.proto else { return false }
                guard let text = port.text else { return true }
                return Int(text).map { $0 == question.traffic.port }
                    ?? question.isPort(named: text, proto: port.proto, isDenying: isDenying)
            }
        }
        func isOne(_ port: CaseNode, isDenying: Bool) -> Bool {
            let text = port.string ?? ""
            let numbers = text.split(separator: ":").map { Int($0) }
            guard let first = numbers.first ?? nil, let last = numbers.last ?? nil else {
                return question.isPort(named: text, proto: question.traffic.proto, isDenying: isDenying)
            }
            return (first...last).contains(question.traffic.port)
        }
        let ports = destination["ports"]?.elements ?? [], notPorts = destination["notPorts"]?.elements ?? []
        // In doubt about the number of a name an allow rule leaves it out, and a deny rule does not.
        return (ports.isEmpty || ports.contains { isOne($0, isDenying: isDenying) })
            && !notPorts.contains { isOne($0, isDenying: !isDenying) }
    }
}
