// SPDX-License-Identifier: Apache-2.0

/// Kubernetes NetworkPolicy by the letter of its API: nothing but loops over the document.
enum ReferenceNetworkPolicy {
    enum Answer {
        /// Does not select the subject in this direction.
        case silent
        /// Selects it, and no rule allows the traffic.
        case closed
        case allowed
    }

    /// One of Kubernetes itself, or one that Calico stages and that is to be evaluated.
    static func isPolicy(_ document: CaseNode) -> Bool {
        if document["kind"]?.string == "StagedKubernetesNetworkPolicy" {
            return !["Ignore", "Delete"].contains(document["spec"]?["stagedAction"]?.string)
        }
        return document["kind"]?.string == "NetworkPolicy" && document["apiVersion"]?.string == "networking.k8s.io/v1"
    }

    static func answer(_ policy: CaseNode, _ question: ReferenceQuestion) -> Answer {
        let namespace = policy["metadata"]?["namespace"]?.string ?? "default"
        guard let spec = policy["spec"], question.subject.isWorkload, question.subject.namespace == namespace,
            ReferenceSelector.matchesPod(spec["podSelector"] ?? [:], question.subject),
            types(spec).contains(question.direction)
        else { return .silent }
        let isIngress = question.direction == .ingress
        for rule in spec[question.direction.rawValue]?.elements ?? [] {
            let peers = rule[isIngress ? "from" : "to"]?.elements ?? []
            let ports = rule["ports"]?.elements ?? []
            // Missing or empty: all of them.
            let isPeer = peers.isEmpty || peers.contains { isMeant($0, question.peer, namespace) }
            let isPort = ports.isEmpty || ports.contains { isMeant($0, question) }
            if isPeer && isPort { return .allowed }
        }
        return .closed
    }

    /// Missing or empty: Ingress always, Egress if there are egress rules.
    private static func types(_ spec: CaseNode) -> [ReferenceQuestion.Direction] {
        let listed = (spec["policyTypes"]?.elements ?? []).compactMap(\.string)
        if listed.isEmpty { return (spec["egress"]?.elements ?? []).isEmpty ? [.ingress] : [.ingress, .egress] }
        return (listed.contains("Ingress") ? [.ingress] : []) + (listed.contains("Egress") ? [.egress] : [])
    }

    private static func isMeant(_ peer: CaseNode, _ party: ReferenceParty, _ namespace: String) -> Bool {
        if let block = peer["ipBlock"] {
            // Addresses of pods and nodes too; `except` takes away from this block only.
            return party.address.isInside(block["cidr"]?.string ?? "")
                && !(block["except"]?.elements ?? []).contains { party.address.isInside($0.string ?? "") }
        }
        guard party.isWorkload else { return false }
        if let namespaces = peer["namespaceSelector"] {
            guard ReferenceSelector.matchesNamespace(namespaces, party) else { return false }
        } else if party.namespace != namespace {
            return false
        }
        return ReferenceSelector.matchesPod(peer["podSelector"] ?? [:], party)
    }

    private static func isMeant(_ port: CaseNode, _ question: ReferenceQuestion) -> Bool {
        let proto = port["protocol"]?.string ?? "TCP"
        guard question.traffic.proto == proto else { return false }
        switch port["port"] {
        case nil: return true
        case .text(let name): return question.isPort(named: name, proto: proto, isDenying: false)
        case .some(let number):
            let first = number.integer ?? 0
            return (first...(port["endPort"]?.integer ?? first)).contains(question.traffic.port)
        }
    }
}
