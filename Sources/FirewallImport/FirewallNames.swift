// SPDX-License-Identifier: Apache-2.0

import NetworkModel

/// Names of protocols and ICMP types, as iptables and nft write them.
enum FirewallNames {
    private static let protocols: [String: IPProtocol] = [
        "tcp": .tcp, "udp": .udp, "sctp": .sctp, "icmp": .icmp, "icmpv6": .icmpv6, "ipv6-icmp": .icmpv6, "6": .tcp,
        "17": .udp, "132": .sctp, "1": .icmp, "58": .icmpv6,
    ]

    static func proto(_ name: String) -> IPProtocol? { protocols[name.lowercased()] }

    /// What a protocol's name covers; nil: a protocol that policies do not know by itself.
    static func space(ofProtocol name: String, family: Int?) -> PortSpace? {
        if name == "all" || name == "0" { return .all }
        return proto(name).map(PortSpace.whole)
    }

    static func icmpType(_ name: String, _ proto: IPProtocol) -> UInt8? {
        proto == .icmp ? icmp[name] : icmpv6[name]
    }

    private static let icmp: [String: UInt8] = [
        "echo-reply": 0, "pong": 0, "destination-unreachable": 3, "source-quench": 4, "redirect": 5, "echo-request": 8,
        "ping": 8, "router-advertisement": 9, "router-solicitation": 10, "time-exceeded": 11, "ttl-exceeded": 11,
        "parameter-problem": 12, "timestamp-request": 13, "timestamp-reply": 14, "info-request": 15, "info-reply": 16,
        "address-mask-request": 17, "address-mask-reply": 18,
    ]
    private static let icmpv6: [String: UInt8] = [
        "destination-unreachable": 1, "packet-too-big": 2, "time-exceeded": 3, "ttl-exceeded": 3,
        "parameter-problem": 4, "echo-request": 128, "ping": 128, "echo-reply": 129, "pong": 129,
        "mld-listener-query": 130, "mld-listener-report": 131, "mld-listener-done": 132, "mld-listener-reduction": 132,
        "nd-router-solicit": 133, "router-solicitation": 133, "nd-router-advert": 134, "router-advertisement": 134,
        "nd-neighbor-solicit": 135, "neighbour-solicitation": 135, "neighbor-solicitation": 135,
        "nd-neighbor-advert": 136, "neighbour-advertisement": 136, "neighbor-advertisement": 136, "nd-redirect": 137,
        "redirect": 137, "router-renumbering": 138, "ind-neighbor-solicit": 141, "ind-neighbor-advert": 142,
        "mld2-listener-report": 143,
    ]
}
