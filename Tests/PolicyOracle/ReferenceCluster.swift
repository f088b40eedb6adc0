// SPDX-License-Identifier: Apache-2.0

/// The made-up cluster of a policy test, read by the oracle itself.
struct ReferenceCluster {
    struct Workload {
        var namespace: String
        var name: String
        var node: String
        var isHostNetwork: Bool
        var addresses: [ReferenceAddress]
        var labels: Set<ReferenceParty.Label>
        var ports: Set<ReferenceParty.Port>
    }

    /// One side of a probe: an address, and the workload that has it.
    struct End {
        var workload: Workload?
        var address: ReferenceAddress
    }

    private let workloads: [Workload]
    private let namespaceLabels: [String: [String: String]]
    private let names: [(name: String, addresses: [ReferenceAddress])]
    private let profiles: ReferenceProfiles

    init(_ test: CaseNode) {
        profiles = ReferenceProfiles((test["policies"]?.elements ?? []).compactMap { $0["inline"] })
        var workloads = (test["workloads"]?.elements ?? []).map(Self.workload)
        for index in workloads.indices where !workloads[index].isHostNetwork {
            workloads[index].labels = profiles.labels(
                ofWorkloadIn: workloads[index].namespace, workloads[index].labels)
        }
        self.workloads = workloads
        var labels: [String: [String: String]] = [:]
        for namespace in test["namespaces"]?.elements ?? [] {
            for (key, value) in namespace["labels"]?.members ?? [] {
                labels[namespace["name"]?.string ?? "", default: [:]][key] = value.string
            }
        }
        namespaceLabels = labels
        names = (test["names"]?.elements ?? []).map { entry in
            (
                entry["name"]?.string ?? "",
                (entry["addresses"]?.elements ?? []).compactMap { $0.string.flatMap(ReferenceAddress.init) }
            )
        }
    }

    private static func workload(_ node: CaseNode) -> Workload {
        let labels = (node["labels"]?.members ?? []).map { key, value in
            let parts = key.split(separator: ":", maxSplits: 1).map(String.init)
            return ReferenceParty.Label(
                source: parts.count == 2 ? parts[0] : "k8s", key: parts.last ?? key, value: value.string ?? "")
        }
        let ports = (node["ports"]?.elements ?? []).map {
            ReferenceParty.Port(
                name: $0["name"]?.string ?? "", proto: $0["protocol"]?.string ?? "TCP", number: $0["port"]?.integer ?? 0
            )
        }
        return Workload(
            namespace: node["namespace"]?.string ?? "default", name: node["name"]?.string ?? "",
            node: node["node"]?.string ?? "", isHostNetwork: node["hostNetwork"]?.isTrue ?? false,
            addresses: (node["addresses"]?.elements ?? []).compactMap { $0.string.flatMap(ReferenceAddress.init) },
            labels: Set(labels), ports: Set(ports))
    }

    // MARK: - Probes

    /// The side that `from` or `to` names, with its first address of the probe's family.
    func end(_ probe: CaseNode, _ side: String) -> End? {
        guard let isIPv4 = isIPv4(probe), let named = named(probe[side]?.string ?? "") else { return nil }
        return named.addresses.first { $0.isIPv4 == isIPv4 }.map { address in
            // A name may point inside.
            End(workload: named.workload ?? workloads.first { $0.addresses.contains(address) }, address: address)
        }
    }

    /// The host that the probe passes through.
    func host(_ probe: CaseNode) -> End? {
        guard let workload = named(probe["through"]?.string ?? "")?.workload else { return nil }
        return workload.addresses.first.map { End(workload: workload, address: $0) }
    }

    func traffic(of probe: CaseNode) -> ReferenceTraffic? {
        guard let isIPv4 = isIPv4(probe), let destination = end(probe, "to") else { return nil }
        let proto = probe["protocol"]?.string ?? "TCP"
        switch proto {
        case "TCP", "UDP", "SCTP":
            guard case .text(let name)? = probe["port"] else {
                return probe["port"]?.integer.map { ReferenceTraffic(proto: proto, port: $0) }
            }
            let port = destination.workload?.ports.first { $0.name == name && $0.proto == proto }
            return port.map { ReferenceTraffic(proto: proto, port: $0.number) }
        case "ICMP":
            return ReferenceTraffic(
                proto: isIPv4 ? "ICMP" : "ICMPv6", port: probe["icmpType"]?.integer ?? (isIPv4 ? 8 : 128))
        default: return ReferenceTraffic(proto: proto, port: 0)
        }
    }

    /// What the probe says, else IPv4 where both ends have it.
    private func isIPv4(_ probe: CaseNode) -> Bool? {
        if let family = probe["family"]?.string { return family == "IPv4" }
        guard let from = named(probe["from"]?.string ?? ""), let to = named(probe["to"]?.string ?? "") else {
            return nil
        }
        return [from, to].allSatisfy { $0.addresses.contains(where: \.isIPv4) }
    }

    private func named(_ text: String) -> (workload: Workload?, addresses: [ReferenceAddress])? {
        if let address = ReferenceAddress(text) {
            return (workloads.first { $0.addresses.contains(address) }, [address])
        }
        if let named = names.first(where: { $0.name == text }) { return (nil, named.addresses) }
        let parts = text.split(separator: "/").map(String.init)
        let namespace = parts.count == 2 ? parts[0] : "default"
        return workloads.first { $0.namespace == namespace && $0.name == parts.last }.map { ($0, $0.addresses) }
    }

    // MARK: - Views

    /// The node that judges an end; nil if nobody does.
    func node(of end: End) -> String? { end.workload?.node }

    /// What a node takes an end for.
    func party(_ end: End, from node: String) -> ReferenceParty {
        guard let workload = end.workload else {
            let label = ReferenceParty.Label(source: "reserved", key: "world", value: "")
            let own =
                end.address.isNeverOpenedByName
                ? []
                : names.filter { $0.addresses.contains(end.address) }.map(\.name)
            return ReferenceParty(kind: .world, address: end.address, labels: [label], names: Set(own))
        }
        guard !workload.isHostNetwork else {
            let isHere = workload.node == node
            var labels: Set = [
                ReferenceParty.Label(source: "reserved", key: isHere ? "host" : "remote-node", value: "")
            ]
            if isHere, !node.isEmpty { labels.insert(.init(source: "k8s", key: "kubernetes.io/hostname", value: node)) }
            guard isHere else { return ReferenceParty(kind: .remoteNode, address: end.address, labels: labels) }
            let ports = profiles.ports(ofHost: node)
            return ReferenceParty(
                kind: .host, address: end.address, labels: profiles.labels(ofHost: node, labels), ports: ports,
                portsOfIdentity: ports)
        }
        let twins = workloads.filter {
            !$0.isHostNetwork && $0.namespace == workload.namespace && $0.labels == workload.labels
        }
        return ReferenceParty(
            kind: .workload, address: end.address, namespace: workload.namespace, labels: workload.labels,
            namespaceLabels: namespaceLabels[workload.namespace] ?? [:], ports: workload.ports,
            portsOfIdentity: twins.reduce(into: []) { $0.formUnion($1.ports) })
    }
}
