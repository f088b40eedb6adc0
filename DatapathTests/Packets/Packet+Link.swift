// SPDX-License-Identifier: Apache-2.0
import NetworkModel

// Talk between neighbours: ARP, IPv6 neighbour discovery, multicast membership.
extension Packet {
    /// An ARP packet that speaks for `sender`; `operation` 1 asks, 2 answers.
    static func arp(_ operation: UInt16, sender: IPAddress, target: IPAddress) -> Packet {
        let mac: [UInt8] = [2, 0, 0, 0, 0, 1]
        let bytes =
            [0, 1, 8, 0, 6, 4] + operation.networkOrder + mac + sender.headerBytes
            + [UInt8](repeating: 0, count: 6) + target.headerBytes
        return .frame(etherType: 0x0806, payload: bytes)
    }

    /// A message of neighbour discovery: hop limit 255, and a target (none for a router solicitation).
    func neighborDiscovery(_ type: UInt8, target: IPAddress?) -> Packet {
        icmp(type, body: target?.headerBytes ?? []).hopLimit(255)
    }

    /// A multicast listener report (version 1) for a group, with its router alert in a hop-by-hop header.
    func listenerReport(_ group: IPAddress) -> Packet {
        extensionHeader(0).icmp(131, body: group.headerBytes).hopLimit(1)
    }

    /// An IGMP version 2 report for a group.
    func groupReport(_ group: IPAddress) -> Packet {
        transport(2, [0x16, 0, 0, 0] + group.headerBytes, checksum: .plain(2)).hopLimit(1)
    }
}
