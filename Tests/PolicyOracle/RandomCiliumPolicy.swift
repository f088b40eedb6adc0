// SPDX-License-Identifier: Apache-2.0

extension RandomPolicyTest {
    /// A CiliumNetworkPolicy, or a cluster-wide one, whose rules may be about hosts.
    mutating func ciliumPolicy(_ index: Int, isClusterwide: Bool) -> CaseNode {
        let kind = isClusterwide ? "CiliumClusterwideNetworkPolicy" : "CiliumNetworkPolicy"
        let specs = (0..<pick([1, 1, 1, 2])).map { _ in ciliumSpec(isClusterwide: isClusterwide) }
        var members: [(key: String, value: CaseNode)] = [
            ("apiVersion", "cilium.io/v2"), ("kind", .text(kind)),
            ("metadata", metadata("p\(index)", isNamespaced: !isClusterwide)),
        ]
        switch (specs.count, chance(80)) {
        case (1, true): members.append(("spec", specs[0]))
        case (1, false): members.append(("specs", .list(specs)))
        default: members += [("spec", specs[0]), ("specs", [specs[1]])]
        }
        return .object(members)
    }

    private mutating func ciliumSpec(isClusterwide: Bool) -> CaseNode {
        let isOfHosts = isClusterwide && chance(50)
        var spec: [(key: String, value: CaseNode)] = [
            isOfHosts
                ? ("nodeSelector", chance(60) ? [:] : selector(RandomCluster.nodeKeys))
                : ("endpointSelector", selector(RandomCluster.ciliumKeys))
        ]
        let sections = ["ingress", "egress", "ingressDeny", "egressDeny"].filter { _ in chance(45) }
        for section in sections.isEmpty ? ["ingress"] : sections {
            spec.append((section, some(1...2) { $0.ciliumElement(section) }))
        }
        if chance(25) {
            let flags = ["ingress", "egress"].filter { _ in chance(70) }
            spec.append(("enableDefaultDeny", .object(flags.map { ($0, .flag(chance(30))) })))
        }
        return .object(spec)
    }

    private mutating func ciliumElement(_ section: String) -> CaseNode {
        let from = section.hasPrefix("ingress") ? "from" : "to"
        var element: [(key: String, value: CaseNode)] = []
        // A list of peers that is there and empty selects nothing.
        let least = chance(5) ? 0 : 1
        let isOfObjects = isAboutObjects && chance(isAboutNodes ? 90 : 75)
        let isOfNames = isAboutNames && from == "to" && chance(60)
        switch isAboutNodes && isOfObjects
            ? pick([6, 8, 8]) : isOfObjects ? number(6...8) : isOfNames ? 9 : number(1...(from == "to" ? 10 : 8))
        {
        case 9, 10: element.append(("toFQDNs", some(least...2) { $0.ciliumName() }))
        case 1, 2: element.append(("\(from)Endpoints", some(least...2) { $0.ciliumPeer() }))
        case 3: element.append(("\(from)Entities", some(least...2) { $0.ciliumEntity() }))
        case 4: element.append(("\(from)CIDR", some(least...2) { $0.ciliumPrefix() }))
        case 5: element.append(("\(from)CIDRSet", some(least...2) { $0.ciliumPrefixSet() }))
        case 6: element.append(("\(from)Nodes", some(least...2) { $0.selector(RandomCluster.nodeObjectKeys) }))
        case 7 where from == "to": element.append(("toServices", some(least...2) { $0.ciliumService() }))
        case 7 where isAboutObjects: element.append(("fromNodes", [[:]]))
        case 8 where isOfObjects: element.append(("\(from)Nodes", [[:]]))
        default: break
        }
        // In cases about names: no ports half of the time, else often ports by name.
        switch isAboutNames ? pick([1, 2, 5, 5]) : number(1...5) {
        case 1, 2:
            element.append(("toPorts", some(1...2) { ["ports": $0.some(0...2) { $0.ciliumPort() }] }))
        case 3: element.append(("icmps", [["fields": some(1...2) { $0.ciliumType() }]]))
        case 4 where chance(30): element.append((pick(["toPorts", "icmps"]), []))
        default: break
        }
        return .object(element)
    }

    private mutating func ciliumPeer() -> CaseNode {
        guard chance(10) else { return selector(RandomCluster.ciliumKeys) }
        let name = pick(["reserved:host", "reserved:remote-node", "reserved:world"])
        return chance(70)
            ? ["matchLabels": .one(name, "")]
            : ["matchExpressions": [["key": .text(name), "operator": .text(pick(["Exists", "DoesNotExist"]))]]]
    }

    private mutating func ciliumEntity() -> CaseNode {
        .text(
            pick([
                "all", "world", "cluster", "host", "remote-node", "world-ipv4", "world-ipv6", "none", "kube-apiserver",
                "init", "health", "unmanaged", "ingress",
            ]))
    }

    private mutating func ciliumName() -> CaseNode {
        if chance(isAboutNames ? 15 : 40) {
            return ["matchName": .text(pick(RandomCluster.domainNames + ["W.a.TEST."]))]
        }
        if isAboutNames, chance(50) { return ["matchPattern": .text(pick(["*.test", "*.a.test", "*.w.a.test"]))] }
        return [
            "matchPattern": .text(
                pick([
                    "*", "**", "*.a.test", "**.a.test", "*.test", "**.test", "*.W.a.test.", "**.w.a.test", "b.test",
                    "*a.test", "*w*.a.test", "x.*.a.test", "*.*.test", "**.*.a.test", "*.w*.A.test", "*.*",
                ]))
        ]
    }

    private mutating func ciliumPrefix() -> CaseNode {
        let (outer, inner) = prefixes()
        // A bare address is a prefix here.
        return .text(chance(10) ? pick(["192.0.2.7", "2001:db8::7"]) : pick([outer, inner]))
    }

    private mutating func ciliumPrefixSet() -> CaseNode {
        let (outer, inner) = prefixes()
        return chance(70) ? ["cidr": .text(outer), "except": [.text(inner)]] : ["cidr": .text(outer)]
    }

    private mutating func ciliumService() -> CaseNode {
        var members: [(key: String, value: CaseNode)] = []
        if chance(60) { members.append(("namespace", .text(pick(["default", "default", "x", ""])))) }
        guard chance(60) else {
            members.append(("selector", selector(RandomCluster.serviceKeys)))
            return ["k8sServiceSelector": .object(members)]
        }
        members.append(("serviceName", .text("p\(number(0...3))")))
        return ["k8sService": .object(members)]
    }

    private mutating func ciliumPort() -> CaseNode {
        var members: [(key: String, value: CaseNode)] = []
        if chance(85) { members.append(("protocol", .text(pick(["TCP", "UDP", "ANY", "SCTP", "tcp"])))) }
        switch isAboutNames && chance(50) ? 1 : number(1...5) {
        case 1:
            members.append(("port", .text(isAboutNames ? "http" : pick(RandomCluster.portNames + ["HTTP"]))))
        case 2:
            members.append(("port", "80"))
            members.append(("endPort", .number(pick([0, 79, 80, 81, 1030, 8080]))))
        case 3: members.append(("port", "0"))
        default: members.append(("port", .text("\(pick(RandomCluster.portNumbers))")))
        }
        return .object(members)
    }

    private mutating func ciliumType() -> CaseNode {
        if chance(50) {
            let type: CaseNode = pick([
                .number(0), .number(8), .number(13), .number(3), "Echo", "EchoRequest", "Timestamp", "EchoReply",
            ])
            return chance(50) ? ["type": type] : ["family": "IPv4", "type": type]
        }
        return [
            "family": "IPv6",
            "type": pick([.number(128), .number(1), "EchoRequest", "PacketTooBig", "NeighborSolicitation"]),
        ]
    }
}
