// SPDX-License-Identifier: Apache-2.0

/// Namespaces and workloads of a random policy test, and what selectors may ask of them.
struct RandomCluster {
    var workloads: [CaseNode] = []
    /// `namespace/name` of each workload with its addresses and ports, and where it runs.
    var ends: [End] = []
    var namespaces: CaseNode = []
    /// Of the workload drawn last: another one may be its twin.
    var last: (namespace: String, labels: CaseNode)?
    /// What DNS has told everybody: names with addresses outside, seldom of somebody inside.
    var names: [(name: String, addresses: [String])] = []

    struct End {
        var key: String
        var addresses: [String]
        var ports: [CaseNode]
        var node: String
        var isHost: Bool
    }

    static let policyNamespaces = ["default", "default", "x", "y"]
    static let nodes = ["n1", "n2"]
    static let podKeys: [(key: String, values: [String])] = [
        ("app", ["a", "b", "c"]), ("app", ["a", "b", "c"]), ("tier", ["x", "y"]), ("role", ["r", "a"]),
        ("missing", ["a"]),
    ]
    static let namespaceKeys: [(key: String, values: [String])] = [
        ("team", ["red", "blue"]), ("kubernetes.io/metadata.name", ["default", "x", "y", "z"]), ("env", ["", "prod"]),
    ]
    static let ciliumKeys: [(key: String, values: [String])] =
        podKeys + [
            ("k8s:app", ["a", "b"]), ("any:tier", ["x", "y"]), ("container:role", ["r", "s"]),
            ("k8s:io.kubernetes.pod.namespace", ["default", "x", "z"]), ("io.kubernetes.pod.namespace", ["x", "y"]),
            ("k8s:io.cilium.k8s.namespace.labels.team", ["red", "blue"]),
            ("io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name", ["default", "x"]),
        ]
    static let nodeKeys: [(key: String, values: [String])] = [
        ("kubernetes.io/hostname", ["n1", "n2", "n3"]), ("missing", ["a"]),
    ]
    static let portNumbers = [53, 80, 443, 8080]
    static let portNames = ["http", "web", "dns"]
    static let outsiders = [
        "192.0.2.7", "192.0.2.130", "10.1.0.200", "10.1.1.2", "198.51.100.1", "2001:db8::7", "2001:db8:0:1::7",
        "fd00:1::c8",
    ]
    /// Addresses of some workloads and nodes.
    static let insiders = [
        "10.1.0.1", "10.1.0.9", "10.1.0.17", "192.0.2.1", "192.0.2.2", "fd00:1::1", "fd00:1::9", "2001:db8::1",
    ]
    static let domainNames = ["a.test", "w.a.test", "x.w.a.test", "v.a.test", "b.test", "test"]
    /// Few, above, below and beside each other.
    static let nestedNames = [
        "test", "a.test", "b.test", "w.a.test", "v.a.test", "x.w.a.test", "y.x.w.a.test", "aw.a.test", "w-1.a.test",
    ]
    /// Addresses that names have when little else is asked, and some that no name opens.
    static let namedOutsiders = ["192.0.2.7", "10.1.0.200", "198.51.100.1", "2001:db8::7", "fd00:1::c8"]
    static let neverOpened = ["169.254.169.254", "100.100.100.200", "fd00:ec2::254"]
}

extension RandomPolicyTest {
    mutating func drawCluster() {
        cluster = RandomCluster()
        let red: CaseNode = ["name": "x", "labels": ["team": .text(pick(["red", "blue"]))]]
        let production: CaseNode = ["name": "y", "labels": ["team": "red", "env": .text(pick(["", "prod"]))]]
        cluster.namespaces = .list([red] + (chance(50) ? [production] : []))
        for index in 0..<number(3...7) { drawWorkload(index) }
        if isAboutNames || chance(70) { drawNames() }
    }

    /// Most addresses have no name, some have several.
    private mutating func drawNames() {
        if isAboutNames {
            for name in RandomCluster.nestedNames where chance(75) {
                var addresses = Set((0..<number(1...2)).map { _ in pick(RandomCluster.namedOutsiders) })
                if chance(35) { addresses = [pick(pick(cluster.ends).addresses)] }
                if chance(15) { addresses.insert(pick(RandomCluster.neverOpened)) }
                cluster.names.append((name, addresses.sorted()))
            }
            return
        }
        for name in RandomCluster.domainNames where chance(60) {
            var addresses = Set((0..<number(1...3)).map { _ in pick(RandomCluster.outsiders) })
            // A name may point at whatever it likes: inside it opens nothing and denies nothing.
            if chance(20) { addresses.insert(pick(pick(cluster.ends).addresses)) }
            cluster.names.append((name, addresses.sorted()))
        }
    }

    /// Workloads have addresses of 10.1.0.0/24 and fd00:1::/64, nodes one each of 192.0.2.0/24 and 2001:db8::/64.
    private mutating func drawWorkload(_ index: Int) {
        let isHost = index > 1 && chance(isAboutObjects ? 40 : 20)
        let node = pick(RandomCluster.nodes)
        let twin = chance(isAboutNames ? 60 : 25) ? cluster.last : nil
        let namespace = twin?.namespace ?? pick(["default", "default", "x", "y"])
        let labels = twin?.labels ?? self.labels()
        cluster.last = (namespace, labels)
        let addresses = isHost ? nodeAddresses(node) : podAddresses(index)
        var members: [(key: String, value: CaseNode)] = [
            ("name", .text("w\(index)")), ("node", .text(node)), ("labels", labels),
            ("addresses", .list(addresses.map(CaseNode.text))),
        ]
        if namespace != "default" || chance(50) { members.append(("namespace", .text(namespace))) }
        if isHost { members.append(("hostNetwork", .flag(true))) }
        let ports = self.ports()
        if !ports.isEmpty { members.append(("ports", .list(ports))) }
        cluster.workloads.append(.object(members))
        cluster.ends.append(
            RandomCluster.End(
                key: "\(namespace)/w\(index)", addresses: addresses, ports: ports, node: node, isHost: isHost))
    }

    func nodeAddresses(_ node: String) -> [String] {
        node == "n1" ? ["192.0.2.1", "2001:db8::1"] : ["192.0.2.2", "2001:db8::2"]
    }

    private mutating func podAddresses(_ index: Int) -> [String] {
        let last = index * 8 + 1
        var addresses: [String] = []
        if chance(90) { addresses.append("10.1.0.\(last)") }
        if addresses.isEmpty || chance(85) { addresses.append("fd00:1::\(String(last, radix: 16))") }
        if chance(15) { addresses.append("10.1.1.\(index + 10)") }
        if chance(10) { addresses.append("fd00:1::1:\(index)") }
        return addresses
    }

    private mutating func labels() -> CaseNode {
        var labels: [(key: String, value: CaseNode)] = [("app", .text(pick(["a", "b", "c"])))]
        if chance(50) { labels.append(("tier", .text(pick(["x", "y"])))) }
        if chance(15) { labels.append(("container:role", .text(pick(["r", "s"])))) }
        if chance(10) { labels.append(("role", .text(pick(["r", "a"])))) }
        if chance(15) { labels.append((ReferenceProfiles.accountKey, "robot")) }
        if chance(5) { labels.append(("workload:app", .text(pick(["a", "b"])))) }
        return .object(labels)
    }

    private mutating func ports() -> [CaseNode] {
        var ports: [CaseNode] = []
        if chance(isAboutNames ? 95 : 60) {
            let number = pick(isAboutNames ? [80, 8080] : [80, 80, 8080])
            ports.append(["name": "http", "port": .number(number), "protocol": "TCP"])
        }
        if chance(20) { ports.append(["name": "web", "port": .number(pick([80, 443]))]) }
        if chance(25) { ports.append(["name": "dns", "port": .number(53), "protocol": "UDP"]) }
        if chance(15) { ports.append(["name": "dns", "port": .number(pick([53, 80])), "protocol": "TCP"]) }
        if chance(15) { ports.append(["name": "http", "port": .number(pick([80, 443])), "protocol": "SCTP"]) }
        return ports
    }

    // MARK: - Probes

    mutating func probe() -> CaseNode {
        let isIPv4 = chance(55)
        func isOfFamily(_ address: String) -> Bool { address.contains(":") != isIPv4 }
        // Workloads by name or by any of their addresses.
        let inside = cluster.ends.filter { $0.addresses.contains(where: isOfFamily) }
        guard !inside.isEmpty else { return probe() }
        let outside = outsiders().filter(isOfFamily)
        func name(_ end: RandomCluster.End, _ random: inout Self) -> String {
            random.chance(random.isAboutNames ? 60 : 85) ? end.key : random.pick(end.addresses.filter(isOfFamily))
        }
        let own = pick(inside)
        var other = pick(inside)
        // The own node is the host to its pods, whatever documents say of its addresses.
        let host =
            isAboutObjects && chance(isAboutNodes ? 75 : 40) ? inside.first { $0.isHost && $0.node == own.node } : nil
        if let host { other = host }
        let isToInside = host != nil || chance(isAboutNames ? 45 : 65)
        var ends = [name(own, &self), isToInside ? name(other, &self) : pick(outside)]
        let isTurned = chance(isAboutNames ? 25 : 50)
        if isTurned { ends.swapAt(0, 1) }
        // By name, if its first address of the family is the one meant.
        let names = cluster.names.filter { $0.addresses.first(where: isOfFamily) == ends[1] }
        if !isTurned, !names.isEmpty, chance(50) { ends[1] = pick(names).name }
        var members: [(key: String, value: CaseNode)] = [
            ("from", .text(ends[0])), ("to", .text(ends[1])), ("expect", "allow"),
            ("family", isIPv4 ? "IPv4" : "IPv6"),
        ]
        switch number(1...8) {
        case 1:
            // Replies to oneself are judged half by half; KernelEngineTests has them.
            if !Set(own.addresses).isDisjoint(with: other.addresses) { members[1].value = .text(pick(outside)) }
            let types = isIPv4 ? [0, 3, 5, 8, 8, 11, 13, 14, 17] : [1, 2, 128, 128, 129, 135, 143]
            members += [("protocol", "ICMP"), ("icmpType", .number(pick(types)))]
        case 2: members.append(("protocol", .number(pick([2, 47, 50]))))
        default: members += ports(isTurned || ends[1] != other.key ? [] : other.ports)
        }
        if let host = forwarder(between: ends[0], members[1].value.string ?? ends[1]), chance(50) {
            members.append(("through", .text(host)))
        }
        return .object(members)
    }

    /// Everybody outside; in a case about names those that some name has, most often.
    private mutating func outsiders() -> [String] {
        let inside = Set(cluster.ends.flatMap(\.addresses))
        let named = Set(cluster.names.flatMap(\.addresses)).subtracting(inside).sorted()
        guard isAboutNames, chance(80) else { return RandomCluster.outsiders }
        return named + RandomCluster.namedOutsiders
    }

    /// A host that a packet may pass through: it has none of the addresses of the ends, nor has another of its node.
    private mutating func forwarder(between source: String, _ destination: String) -> String? {
        let (from, to) = (Set(addresses(of: source)), Set(addresses(of: destination)))
        guard from.isDisjoint(with: to) else { return nil }
        let hosts = cluster.workloads.filter { $0["hostNetwork"]?.isTrue ?? false }
        let able = hosts.filter { host in
            hosts.allSatisfy { other in
                let own = (other["addresses"]?.elements ?? []).compactMap(\.string)
                return other["node"]?.string ?? "" != host["node"]?.string ?? ""
                    || from.union(to).isDisjoint(with: own)
            }
        }
        guard !able.isEmpty else { return nil }
        let host = pick(able)
        return "\(host["namespace"]?.string ?? "default")/\(host["name"]?.string ?? "")"
    }

    /// Those that a probe's end may have: of a workload, of a name, or the one written.
    private func addresses(of text: String) -> [String] {
        let named = cluster.names.first { $0.name == text }?.addresses
        return named ?? cluster.ends.first { $0.key == text }?.addresses ?? [text]
    }

    /// `named`: ports that the destination has names for.
    private mutating func ports(_ named: [CaseNode]) -> [(key: String, value: CaseNode)] {
        if !named.isEmpty, chance(15) {
            let port = pick(named)
            return [("protocol", port["protocol"] ?? "TCP"), ("port", port["name"] ?? "http")]
        }
        if isAboutNames, chance(70) {
            return [("protocol", "TCP"), ("port", .number(pick([80, 80, 443, 8080])))]
        }
        return [
            ("protocol", .text(pick(["TCP", "TCP", "TCP", "UDP", "UDP", "SCTP"]))),
            ("port", .number(pick([1, 53, 79, 80, 81, 82, 443, 1030, 1031, 8080, 8081, 49_152, 65_535]))),
        ]
    }
}
