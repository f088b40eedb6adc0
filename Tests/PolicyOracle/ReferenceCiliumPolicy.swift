// SPDX-License-Identifier: Apache-2.0

/// CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy at layers 3 and 4, by the letter of Cilium's documentation and
/// of the differences that docs/reference/policies.md lists.
enum ReferenceCiliumPolicy {
    struct Answer {
        var isClosed = false
        var isAllowed = false
        var isDenied = false
    }

    static let kinds = ["CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"]

    static func answer(_ policy: CaseNode, _ question: ReferenceQuestion) -> Answer {
        let isNamespaced = policy["kind"]?.string == "CiliumNetworkPolicy"
        let namespace = isNamespaced ? policy["metadata"]?["namespace"]?.string ?? "default" : nil
        var answer = Answer()
        for spec in [policy["spec"]].compactMap({ $0 }) + (policy["specs"]?.elements ?? [])
        where selects(spec, question.subject, namespace) {
            let allowing = spec[question.direction.rawValue]?.elements ?? []
            let denying = spec["\(question.direction.rawValue)Deny"]?.elements ?? []
            let isOff = spec["enableDefaultDeny"]?[question.direction.rawValue].map { !$0.isTrue } ?? false
            if !isOff, !(allowing + denying).isEmpty { answer.isClosed = true }
            if allowing.contains(where: { matches($0, question, namespace, isDenying: false) }) {
                answer.isAllowed = true
            }
            if denying.contains(where: { matches($0, question, namespace, isDenying: true) }) { answer.isDenied = true }
        }
        return answer
    }

    // MARK: - Labels

    /// `source:key`, or a key of any source.
    private static func values(_ name: String, _ party: ReferenceParty) -> [String] {
        let parts = name.split(separator: ":", maxSplits: 1).map(String.init)
        let (source, key) = parts.count == 2 ? (parts[0], parts[1]) : ("any", name)
        let ofNamespaces = "io.cilium.k8s.namespace.labels."
        if source == "any" || source == "k8s", party.isWorkload {
            if key == "io.kubernetes.pod.namespace" { return [party.namespace] }
            if key.hasPrefix(ofNamespaces) {
                return ReferenceSelector.namespaceValues(String(key.dropFirst(ofNamespaces.count)), party)
            }
        }
        return source == "any" ? party.values(key) : party.values(source, key)
    }

    private static func matches(_ selector: CaseNode, _ party: ReferenceParty) -> Bool {
        ReferenceSelector.matches(selector) { values($0, party) }
    }

    private static func selects(_ spec: CaseNode, _ party: ReferenceParty, _ namespace: String?) -> Bool {
        if let nodes = spec["nodeSelector"] { return party.kind == .host && matches(nodes, party) }
        guard let endpoints = spec["endpointSelector"], party.isWorkload else { return false }
        guard let namespace else { return matches(endpoints, party) }
        // The policy's own namespace takes the place of one that the selector asks for.
        return party.namespace == namespace && matches(withoutOwnNamespace(endpoints), party)
    }

    private static func withoutOwnNamespace(_ selector: CaseNode) -> CaseNode {
        let own = "k8s:io.kubernetes.pod.namespace"
        let labels = (selector["matchLabels"]?.members ?? []).filter { $0.key != own }
        let expressions = (selector["matchExpressions"]?.elements ?? []).filter {
            $0["key"]?.string != own || $0["operator"]?.string != "In"
        }
        return ["matchLabels": .object(labels), "matchExpressions": .list(expressions)]
    }

    /// Without a key of namespaces: the policy's own namespace, or every workload if it has none.
    private static func isPeer(_ selector: CaseNode, _ party: ReferenceParty, _ namespace: String?) -> Bool {
        let keys = ReferenceSelector.keys(selector)
        if keys.contains(where: { $0.hasPrefix("reserved:") }) { return matches(selector, party) }
        guard party.isWorkload, matches(selector, party) else { return false }
        let namesNamespace = keys.contains { key in
            let bare = key.split(separator: ":").last.map(String.init) ?? key
            return bare == "io.kubernetes.pod.namespace" || bare.hasPrefix("io.cilium.k8s.namespace.labels.")
        }
        return namesNamespace || namespace == nil || party.namespace == namespace
    }

    // MARK: - Elements

    private static func matches(
        _ element: CaseNode, _ question: ReferenceQuestion, _ namespace: String?, isDenying: Bool
    ) -> Bool {
        let side = question.direction == .ingress ? "from" : "to"
        let peer = question.peer
        let ports = element["toPorts"]?.elements ?? [], types = element["icmps"]?.elements ?? []
        let limitsPorts = !ports.isEmpty || !types.isEmpty
        let kinds = ["Endpoints", "CIDR", "CIDRSet", "Entities", "Nodes", "Services", "FQDNs"].filter {
            element["\(side)\($0)"] != nil
        }
        // Nobody named: with ports everybody, else nobody.
        var isPeer = kinds.isEmpty && limitsPorts
        for kind in kinds {
            for entry in element["\(side)\(kind)"]?.elements ?? [] {
                switch kind {
                case "Endpoints": isPeer = isPeer || self.isPeer(entry, peer, namespace)
                case "FQDNs":
                    isPeer =
                        isPeer || peer.names.contains { ReferenceDomainName.isMeant(byCilium: entry, $0) }
                case "CIDR": isPeer = isPeer || isInside(entry.string, peer)
                case "CIDRSet":
                    isPeer =
                        isPeer
                        || isInside(entry["cidr"]?.string, peer)
                            && !(entry["except"]?.elements ?? []).contains { isInside($0.string, peer) }
                case "Nodes": isPeer = isPeer || isRemoteNode(entry, peer)
                case "Services": isPeer = isPeer || isService(peer, entry)
                default: isPeer = isPeer || isEntity(entry.string ?? "", peer)
                }
            }
        }
        guard isPeer else { return false }
        return !limitsPorts
            || ports.flatMap { $0["ports"]?.elements ?? [] }.contains { isMeant($0, question, isDenying: isDenying) }
            || types.flatMap { $0["fields"]?.elements ?? [] }.contains { isMeant(type: $0, question.traffic) }
    }

    /// Prefixes never mean workloads or nodes.
    private static func isInside(_ prefix: String?, _ party: ReferenceParty) -> Bool {
        party.kind == .world && party.address.isInside(prefix ?? "")
    }

    private static func isEntity(_ name: String, _ party: ReferenceParty) -> Bool {
        switch name {
        case "all": true
        case "world": party.kind == .world
        case "world-ipv4": party.kind == .world && party.address.isIPv4
        case "world-ipv6": party.kind == .world && !party.address.isIPv4
        case "cluster": party.kind != .world || isRemoteNode([:], party)
        case "host": party.kind == .host
        case "remote-node": party.kind == .remoteNode || isRemoteNode([:], party)
        // Nobody has these identities in a policy test.
        default: false
        }
    }

    /// The node that judges is the host to itself.
    private static func isRemoteNode(_ selector: CaseNode, _ party: ReferenceParty) -> Bool {
        party.kind != .host && party.nodes.contains { ReferenceSelector.matches(selector, of: $0) }
    }

    /// Addresses behind a service mean what is outside.
    private static func isService(_ peer: ReferenceParty, _ entry: CaseNode) -> Bool {
        peer.services.contains { (!$0.isByAddress || peer.kind == .world) && isMeant($0, by: entry) }
    }

    private static func isMeant(_ service: ReferenceService, by entry: CaseNode) -> Bool {
        let wanted = entry["k8sService"] ?? entry["k8sServiceSelector"]
        if let namespace = wanted?["namespace"]?.string, !namespace.isEmpty, namespace != service.namespace {
            return false
        }
        if let name = wanted?["serviceName"]?.string { return name == service.name }
        return ReferenceSelector.matches(wanted?["selector"] ?? [:], of: service.labels)
    }

    private static func isMeant(_ port: CaseNode, _ question: ReferenceQuestion, isDenying: Bool) -> Bool {
        let proto = (port["protocol"]?.string ?? "ANY").uppercased()
        guard question.traffic.hasPorts, proto == "ANY" || proto == question.traffic.proto else { return false }
        let text = port["port"]?.string ?? "0"
        guard let first = Int(text) else {
            return question.isPort(named: text.lowercased(), proto: question.traffic.proto, isDenying: isDenying)
        }
        if first == 0 { return true }
        // An end before the beginning counts for nothing.
        return (first...max(first, port["endPort"]?.integer ?? first)).contains(question.traffic.port)
    }

    private static let typesByName: [String: [String: Int]] = [
        "ICMP": ["EchoReply": 0, "DestinationUnreachable": 3, "Echo": 8, "EchoRequest": 8, "Timestamp": 13],
        "ICMPv6": ["DestinationUnreachable": 1, "PacketTooBig": 2, "EchoRequest": 128, "NeighborSolicitation": 135],
    ]

    private static func isMeant(type: CaseNode, _ traffic: ReferenceTraffic) -> Bool {
        let proto = type["family"]?.string == "IPv6" ? "ICMPv6" : "ICMP"
        guard traffic.proto == proto, let wanted = type["type"] else { return false }
        return (wanted.integer ?? typesByName[proto]?[wanted.string ?? ""]) == traffic.port
    }
}
