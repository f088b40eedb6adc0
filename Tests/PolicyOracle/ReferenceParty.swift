// SPDX-License-Identifier: Apache-2.0

/// Somebody at one end of the traffic, as the node sees it that judges.
struct ReferenceParty {
    enum Kind: Equatable {
        /// A pod, on this node or another one.
        case workload
        /// The judging node itself, with everything in its own network.
        case host
        /// Another node.
        case remoteNode
        /// Everything else.
        case world
    }

    struct Label: Hashable {
        var source: String
        var key: String
        var value: String
    }

    struct Port: Hashable {
        var name: String
        var proto: String
        var number: Int
    }

    var kind: Kind
    var address: ReferenceAddress
    /// Empty but for workloads.
    var namespace = ""
    /// Own labels; of workloads without those of the namespace.
    var labels: Set<Label> = []
    var namespaceLabels: [String: String] = [:]
    var ports: Set<Port> = []
    /// Nodes that documents describe at its address, each with its labels.
    var nodes: [CaseNode] = []
    /// Services that documents put in front of it.
    var services: [ReferenceService] = []
    /// Those of all workloads of the same labels and namespace: what is known of a peer is its identity.
    var portsOfIdentity: Set<Port> = []
    /// What DNS calls the address; of the world only, for names are nobody's who is inside.
    var names: Set<String> = []
    /// Calico's sets of prefixes that its address is in.
    var sets: [ReferenceSet] = []
    /// Calico's sets that have one of its names.
    var setsOfNames: [ReferenceSet] = []

    var isWorkload: Bool { kind == .workload }

    /// Values of a key, from every source.
    func values(_ key: String) -> [String] { labels.filter { $0.key == key }.map(\.value) }

    /// Values of a key, from one source.
    func values(_ source: String, _ key: String) -> [String] {
        labels.filter { $0.source == source && $0.key == key }.map(\.value)
    }
}

/// A NetworkSet or GlobalNetworkSet of Calico, or the addresses that a HostEndpoint names.
struct ReferenceSet {
    /// Nil: it is global.
    var namespace: String?
    var labels: [String: String]
    private var nets: [String]
    private var domains: [String]

    init(_ document: CaseNode) {
        let metadata = document["metadata"]
        namespace = document["kind"]?.string == "NetworkSet" ? metadata?["namespace"]?.string ?? "default" : nil
        labels = Dictionary(
            (metadata?["labels"]?.members ?? []).map { ($0.key, $0.value.string ?? "") }, uniquingKeysWith: { $1 })
        let spec = document["spec"]
        nets = ((spec?["nets"] ?? spec?["expectedIPs"])?.elements ?? []).compactMap(\.string)
        domains = (spec?["allowedEgressDomains"]?.elements ?? []).compactMap(\.string)
    }

    func hasName(of party: ReferenceParty) -> Bool {
        domains.contains { text in party.names.contains { ReferenceDomainName.isMeant(byCalico: text, $0) } }
    }

    func contains(_ address: ReferenceAddress) -> Bool { nets.contains { address.isInside($0) } }
}

/// What the packet is besides its ends.
struct ReferenceTraffic {
    /// `TCP`, `UDP`, `SCTP`, `ICMP`, `ICMPv6`, or a number.
    var proto: String
    /// The destination port of TCP, UDP and SCTP, the type of ICMP, else 0.
    var port: Int

    var hasPorts: Bool { ["TCP", "UDP", "SCTP"].contains(proto) }
}

/// What a node asks its policies about one end of the traffic.
struct ReferenceQuestion {
    enum Direction: String {
        case ingress
        case egress
    }

    var subject: ReferenceParty
    var peer: ReferenceParty
    var direction: Direction
    var traffic: ReferenceTraffic
    /// Of a host: the traffic is not its own.
    var isForwarded = false

    /// Whether the destination calls the port so.
    ///
    /// `isDenying`: where endpoints of one identity disagree about the number, a rule that denies means all of their
    /// numbers and any other none (docs/reference/policies.md).
    func isPort(named name: String, proto: String, isDenying: Bool) -> Bool {
        guard traffic.proto == proto else { return false }
        let ports = direction == .ingress ? subject.ports : peer.portsOfIdentity
        let numbers = Set(ports.filter { $0.name == name && $0.proto == proto }.map(\.number))
        return numbers.contains(traffic.port) && (numbers.count == 1 || isDenying)
    }
}
