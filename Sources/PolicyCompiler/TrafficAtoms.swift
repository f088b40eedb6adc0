// SPDX-License-Identifier: Apache-2.0

import IdentityModel
package import NetworkModel
import PolicyModel

/// A kind of traffic that no rule in question tells apart: a range of ports of one protocol, or everything else.
package struct TrafficAtom: Hashable, Sendable {
    /// Nil: every protocol that no rule in question names.
    package var proto: IPProtocol?
    /// ICMP: the type in the high byte, the code in the low one.
    package var ports: ClosedRange<UInt16>

    /// A packet of this kind.
    var sample: (proto: IPProtocol, port: UInt16?) {
        // Nobody names 253, which is for experiments (RFC 3692).
        guard let proto else { return (IPProtocol(rawValue: 253), nil) }
        return (proto, ports.lowerBound)
    }

    /// `tcp/443`, `tcp/1024-2047`, `tcp`, `icmp/8`, `other protocols`.
    package var text: String {
        guard let proto else { return "other protocols" }
        if ports == 0...UInt16.max { return "\(proto)" }
        if proto == .icmp || proto == .icmpv6 { return PortMatch.icmpText(proto, ports) }
        let (first, last) = (ports.lowerBound, ports.upperBound)
        return first == last ? "\(proto)/\(first)" : "\(proto)/\(first)-\(last)"
    }

    /// Cuts all traffic into the kinds that these keys tell apart, in order.
    static func all(_ keys: some Sequence<PortKey>) -> [TrafficAtom] {
        var cuts: [UInt8: Set<Int>] = [:]
        for key in keys where key != .allProtocols {
            let size = 1 << (16 - Int(key.prefixLength))
            cuts[key.proto, default: [0, 65536]].formUnion([Int(key.port), Int(key.port) + size])
        }
        let named = cuts.sorted { $0.key < $1.key }.flatMap { proto, cuts in
            let sorted = cuts.sorted()
            return zip(sorted, sorted.dropFirst()).map { first, next in
                TrafficAtom(proto: IPProtocol(rawValue: proto), ports: UInt16(first)...UInt16(next - 1))
            }
        }
        return named + [TrafficAtom(proto: nil, ports: 0...UInt16.max)]
    }

    /// What some of all kinds are together: `tcp/80, tcp/443`, `everything but tcp/5432`.
    static func text(_ some: [TrafficAtom], of all: [TrafficAtom]) -> String {
        guard some.count < all.count else { return "everything" }
        guard some.contains(where: { $0.proto == nil }) else { return list(some) }
        return "everything but " + list(all.filter { !some.contains($0) })
    }

    /// The first few; neighbours in one.
    private static func list(_ atoms: [TrafficAtom]) -> String {
        var joined: [TrafficAtom] = []
        for atom in atoms {
            if let last = joined.last, last.proto == atom.proto, atom.proto != nil,
                Int(last.ports.upperBound) + 1 == Int(atom.ports.lowerBound)
            {
                joined[joined.count - 1].ports = last.ports.lowerBound...atom.ports.upperBound
            } else {
                joined.append(atom)
            }
        }
        let rest = joined.count > 8 ? " and \(joined.count - 8) more" : ""
        return joined.prefix(8).map(\.text).joined(separator: ", ") + rest
    }
}

extension PolicyRule {
    /// The port keys by which the rule tells traffic to a destination apart that may be in these groups.
    func portKeys(_ destination: NamedPorts, groups: [LabelSet] = []) -> [PortKey] {
        LoweredPorts(ports).keys(for: destination, groups: groups, action: action)
    }
}
