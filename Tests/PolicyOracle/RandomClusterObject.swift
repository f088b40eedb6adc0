// SPDX-License-Identifier: Apache-2.0

extension RandomCluster {
    static let nodeObjectKeys: [(key: String, values: [String])] = [("zone", ["a", "b"]), ("missing", ["a"])]
    static let serviceKeys: [(key: String, values: [String])] = [("app", ["a", "b"]), ("zone", ["a", "b"])]
}

extension RandomPolicyTest {
    /// A Node, a Service, or addresses behind a service, of the names that rules speak of.
    mutating func clusterObject(_ index: Int) -> CaseNode {
        switch isAboutNodes ? 1 : number(1...5) {
        case 1, 2: return node(index)
        case 3, 4: return service(index)
        default: return chance(50) ? endpoints(index) : slice(index)
        }
    }

    private mutating func node(_ index: Int) -> CaseNode {
        // Where a case is about nodes, mostly those that workloads are on: the judging one is described too.
        let addresses =
            isAboutObjects && chance(isAboutNodes ? 90 : 60)
            ? nodeAddresses(pick(RandomCluster.nodes))
            : pick([
                ["192.0.2.1", "2001:db8::1"], ["192.0.2.2", "2001:db8::2"], ["192.0.2.7"],
                ["192.0.2.130", "2001:db8::7"],
            ])
        return [
            "apiVersion": "v1", "kind": "Node",
            "metadata": ["name": .text("p\(index)"), "labels": ["zone": .text(pick(["a", "b"]))]],
            "status": [
                "addresses": .list(
                    addresses.map { ["type": .text(pick(["InternalIP", "ExternalIP"])), "address": .text($0)] }
                        + [["type": "Hostname", "address": "n1"]])
            ],
        ]
    }

    private mutating func objectMetadata(_ index: Int, _ more: [(key: String, value: CaseNode)] = []) -> CaseNode {
        let labels: [(key: String, value: CaseNode)] = chance(70) ? [("app", .text(pick(["a", "b"])))] : []
        var members: [(key: String, value: CaseNode)] = [
            ("name", .text("p\(index)")), ("labels", .object(labels + more)),
        ]
        if chance(60) { members.append(("namespace", .text(pick(["default", "x"])))) }
        return .object(members)
    }

    private mutating func service(_ index: Int) -> CaseNode {
        let selector: CaseNode = pick([
            ["app": .text(pick(["a", "b", "c"]))], ["app": "a", "tier": .text(pick(["x", "y"]))], [:],
        ])
        return [
            "apiVersion": "v1", "kind": "Service", "metadata": objectMetadata(index),
            "spec": ["selector": selector, "ports": some(0...2) { $0.servicePort(isOfService: true) }],
        ]
    }

    private mutating func endpoints(_ index: Int) -> CaseNode {
        let addresses = some(1...3) { ["ip": .text($0.pick(RandomCluster.outsiders + RandomCluster.insiders))] }
        return [
            "apiVersion": "v1", "kind": "Endpoints", "metadata": objectMetadata(index),
            "subsets": [["addresses": addresses, "ports": some(0...2) { $0.servicePort() }]],
        ]
    }

    private mutating func slice(_ index: Int) -> CaseNode {
        let isIPv4 = chance(50)
        let known = (RandomCluster.outsiders + RandomCluster.insiders).filter { $0.contains(":") != isIPv4 }
        let endpoints = some(1...3) { random in
            let addresses: CaseNode = [.text(random.pick(known))]
            return random.chance(70)
                ? ["addresses": addresses]
                : ["addresses": addresses, "conditions": ["ready": .flag(random.chance(50))]]
        }
        return [
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": objectMetadata(index, [("kubernetes.io/service-name", .text("p\(number(0...3))"))]),
            "addressType": isIPv4 ? "IPv4" : "IPv6", "endpoints": endpoints,
            "ports": some(0...2) { $0.servicePort() },
        ]
    }

    /// Missing in a slice: every port.
    private mutating func servicePort(isOfService: Bool = false) -> CaseNode {
        var port: [(key: String, value: CaseNode)] = []
        if chance(60) { port.append(("protocol", .text(pick(["TCP", "UDP", "SCTP"])))) }
        if isOfService || chance(90) { port.append(("port", .number(pick(RandomCluster.portNumbers)))) }
        if isOfService, chance(70) {
            port.append(
                (
                    "targetPort",
                    chance(50) ? .number(pick(RandomCluster.portNumbers)) : .text(pick(RandomCluster.portNames))
                ))
        }
        return .object(port)
    }
}
