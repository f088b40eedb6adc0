// SPDX-License-Identifier: Apache-2.0

extension IPProtocol: CustomStringConvertible {
    package static let gre = IPProtocol(rawValue: 47)

    private static let names: [(number: UInt8, name: String)] = [
        (1, "icmp"), (2, "igmp"), (4, "ipip"), (6, "tcp"), (17, "udp"), (41, "ipv6"), (47, "gre"), (50, "esp"),
        (51, "ah"), (58, "icmpv6"), (112, "vrrp"), (132, "sctp"),
    ]

    /// Lower-case name, or the number.
    package var description: String {
        switch self {
        case .tcp: "tcp"
        case .udp: "udp"
        default: IPProtocol.names.first { $0.number == rawValue }?.name ?? String(rawValue)
        }
    }

    /// From a name in any letter case (`TCP`, `icmpv6`; also `ipv6-icmp`) or a number from 0 to 255.
    package init?(_ text: String) {
        let lowercased = text.lowercased()
        if lowercased == "ipv6-icmp" {
            self = .icmpv6
        } else if let entry = IPProtocol.names.first(where: { $0.name == lowercased }) {
            self.init(rawValue: entry.number)
        } else if let number = UInt8(text) {
            self.init(rawValue: number)
        } else {
            return nil
        }
    }

    /// True if packets carry source and destination ports.
    package var hasPorts: Bool { self == .tcp || self == .udp || self == .sctp }
}

extension Direction: CustomStringConvertible {
    package var description: String { self == .egress ? "egress" : "ingress" }

    /// From `ingress` or `egress`.
    package init?(_ text: String) {
        switch text {
        case "ingress": self = .ingress
        case "egress": self = .egress
        default: return nil
        }
    }

    /// The other direction.
    package var opposite: Direction { self == .egress ? .ingress : .egress }
}
