// SPDX-License-Identifier: Apache-2.0

/// AdminNetworkPolicy, BaselineAdminNetworkPolicy and ClusterNetworkPolicy by the letter of network-policy-api: the first
/// rule that matches, in the order of priority.
enum ReferenceAdminPolicy {
    enum Tier {
        case admin
        case baseline
    }

    enum Answer {
        case allowed
        case denied
        /// A rule says so; the tier is left.
        case passed
    }

    static let kinds = ["AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy"]

    /// What a tier's policies say; nil if no rule matches.
    static func answer(_ policies: [CaseNode], _ tier: Tier, _ question: ReferenceQuestion) -> Answer? {
        let here = policies.filter { self.tier(of: $0) == tier }.sorted { place(of: $0) < place(of: $1) }
        for policy in here {
            guard let spec = policy["spec"], isSubject(spec["subject"] ?? [:], question.subject) else { continue }
            for rule in spec[question.direction.rawValue]?.elements ?? [] where matches(rule, question) {
                switch rule["action"]?.string {
                case "Allow", "Accept": return .allowed
                case "Deny": return .denied
                default: return .passed
                }
            }
        }
        return nil
    }

    private static func tier(of policy: CaseNode) -> Tier {
        switch policy["kind"]?.string {
        case "BaselineAdminNetworkPolicy": .baseline
        case "ClusterNetworkPolicy": policy["spec"]?["tier"]?.string == "Baseline" ? .baseline : .admin
        default: .admin
        }
    }

    /// The one BaselineAdminNetworkPolicy comes behind all others of its tier.
    private static func place(of policy: CaseNode) -> (Int, String) {
        let isLast = policy["kind"]?.string == "BaselineAdminNetworkPolicy"
        return (
            isLast ? Int.max : policy["spec"]?["priority"]?.integer ?? 0, policy["metadata"]?["name"]?.string ?? ""
        )
    }

    /// Pods only: neither nodes nor what runs in their network.
    private static func isSubject(_ subject: CaseNode, _ party: ReferenceParty) -> Bool {
        party.isWorkload && arePods(subject, party)
    }

    private static func arePods(_ peer: CaseNode, _ party: ReferenceParty) -> Bool {
        if let namespaces = peer["namespaces"] { return ReferenceSelector.matchesNamespace(namespaces, party) }
        guard let pods = peer["pods"] else { return false }
        return ReferenceSelector.matchesNamespace(pods["namespaceSelector"] ?? [:], party)
            && ReferenceSelector.matchesPod(pods["podSelector"] ?? [:], party)
    }

    private static func matches(_ rule: CaseNode, _ question: ReferenceQuestion) -> Bool {
        let peers = rule[question.direction == .ingress ? "from" : "to"]?.elements ?? []
        let ports = rule["ports"]?.elements ?? rule["protocols"]?.elements ?? []
        let isDenying = rule["action"]?.string == "Deny"
        return peers.contains { isMeant($0, question.peer) }
            && (ports.isEmpty || ports.contains { isMeant($0, question, isDenying: isDenying) })
    }

    private static func isMeant(_ peer: CaseNode, _ party: ReferenceParty) -> Bool {
        if let networks = peer["networks"] {
            return networks.elements.contains { party.address.isInside($0.string ?? "") }
        }
        if let names = peer["domainNames"] {
            return names.elements.contains { entry in
                party.names.contains { ReferenceDomainName.isMeant(byAdmin: entry.string ?? "", $0) }
            }
        }
        if let nodes = peer["nodes"] {
            // Labels of other nodes are known from documents only.
            let isNode = party.kind == .host || party.kind == .remoteNode
            return isNode && ReferenceSelector.matchesPod(nodes, party)
                || party.nodes.contains { ReferenceSelector.matches(nodes, of: $0) }
        }
        return party.isWorkload && arePods(peer, party)
    }

    private static func isMeant(_ port: CaseNode, _ question: ReferenceQuestion, isDenying: Bool) -> Bool {
        func isNumber(_ proto: String, _ first: CaseNode?, _ last: CaseNode?) -> Bool {
            guard question.traffic.proto == proto, let first = first?.integer, let last = last?.integer else {
                return false
            }
            return (first...last).contains(question.traffic.port)
        }
        if let one = port["portNumber"] { return isNumber(one["protocol"]?.string ?? "TCP", one["port"], one["port"]) }
        if let range = port["portRange"] {
            return isNumber(range["protocol"]?.string ?? "TCP", range["start"], range["end"])
        }
        if let name = (port["namedPort"] ?? port["destinationNamedPort"])?.string {
            // A name belongs to whatever protocol the destination uses it for.
            return question.traffic.hasPorts
                && question.isPort(named: name, proto: question.traffic.proto, isDenying: isDenying)
        }
        for (word, proto) in [("tcp", "TCP"), ("udp", "UDP"), ("sctp", "SCTP")] {
            guard let destination = port[word]?["destinationPort"] else { continue }
            let number = destination["number"], range = destination["range"]
            return isNumber(proto, number ?? range?["start"], number ?? range?["end"])
        }
        return false
    }
}
