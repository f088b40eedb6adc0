// SPDX-License-Identifier: Apache-2.0

import IdentityModel
package import NetworkModel
import PolicyModel

/// The protocol and port part of a policy key: a port prefix of one protocol, or all protocols.
package struct PortKey: Hashable, Sendable {
    /// 0 = all protocols.
    package var proto: UInt8
    /// Host order, masked to `prefixLength` bits; ICMP: the type in the high byte.
    package var port: UInt16
    /// 0...16; 17: all protocols.
    package var prefixLength: UInt8

    package init(proto: UInt8, port: UInt16, prefixLength: UInt8) {
        self.proto = proto
        self.port = port
        self.prefixLength = prefixLength
    }

    package static let allProtocols = PortKey(proto: 0, port: 0, prefixLength: 17)

    /// True if the key covers a packet; `port` nil: a packet without ports, covered by whole protocols only.
    package func covers(proto: IPProtocol, port: UInt16?) -> Bool {
        if self == .allProtocols { return true }
        guard self.proto == proto.rawValue else { return false }
        guard prefixLength > 0 else { return true }
        return port.map { ($0 ^ self.port) >> UInt16(16 - prefixLength) == 0 } ?? false
    }

    /// The fewest prefixes that cover a range of ports: one for the whole range, 30 at most.
    package static func covering(_ range: ClosedRange<UInt16>, of proto: IPProtocol) -> [PortKey] {
        var keys: [PortKey] = []
        var next = Int(range.lowerBound)
        let end = Int(range.upperBound) + 1
        while next < end {
            // The largest aligned block that begins here and does not pass the end.
            var size = next == 0 ? 65536 : 1 << next.trailingZeroBitCount
            while next + size > end { size /= 2 }
            keys.append(
                PortKey(
                    proto: proto.rawValue, port: UInt16(next), prefixLength: UInt8(16 - size.trailingZeroBitCount)))
            next += size
        }
        return keys
    }
}

/// A rule's ports after lowering: what is known, and the names that depend on the destination.
struct LoweredPorts {
    var keys: [PortKey] = []
    var names: [NamedPort] = []
    /// Services whose ports the rule means, at each peer its own.
    var services: [ServicePortSelector] = []
    var differences: [PortDifference] = []

    /// True if destinations differ in the ports that the rule means.
    var dependsOnPeer: Bool { !names.isEmpty || !services.isEmpty || !differences.isEmpty }

    init(_ selection: PortSelection) {
        guard case .some(let matches) = selection else {
            keys = [.allProtocols]
            return
        }
        var unique: Set<PortKey> = []
        for match in matches {
            switch match {
            case .range(let proto, let range): unique.formUnion(PortKey.covering(range, of: proto))
            case .named(let proto, let name): names.append(NamedPort(proto: proto, name: name))
            case .icmpType(let proto, let type?):
                unique.insert(PortKey(proto: proto.rawValue, port: UInt16(type) << 8, prefixLength: 8))
            case .icmpType(let proto, nil), .wholeProtocol(let proto):
                unique.insert(PortKey(proto: proto.rawValue, port: 0, prefixLength: 0))
            case .ofServices(let selector): services.append(selector)
            case .without(let difference): differences.append(difference)
            }
        }
        keys = unique.sorted { ($0.proto, $0.port, $0.prefixLength) < ($1.proto, $1.port, $1.prefixLength) }
    }

    /// All keys for a destination with these names, in these groups.
    ///
    /// A name with several numbers: an allow rule must not open a port its author did not mean, so it covers none;
    /// a deny rule must not leave one open, so it covers all.
    func keys(for ports: NamedPorts, groups: [LabelSet] = [], action: RuleAction) -> [PortKey] {
        guard dependsOnPeer else { return keys }
        var result = keys
        let more =
            namedKeys(for: ports, action: action) + serviceKeys(for: ports, groups: groups, action: action)
            + differenceKeys(for: ports, action: action)
        for key in more where !result.contains(key) { result.append(key) }
        return result
    }

    /// Of these the keys of ports without others.
    ///
    /// Where a name that is left out has several numbers the doubt goes the other way: an allow rule leaves out all of them.
    func differenceKeys(for ports: NamedPorts, action: RuleAction) -> [PortKey] {
        var result: Set<PortKey> = []
        for difference in differences {
            let ranges = difference.ranges { name, isMeant in
                let numbers = ports.numbers[NamedPort(proto: difference.proto, name: name)] ?? []
                return numbers.count == 1 || (action == .deny) == isMeant ? numbers : []
            }
            for range in ranges { result.formUnion(PortKey.covering(range, of: difference.proto)) }
        }
        return result.sorted { ($0.port, $0.prefixLength) < ($1.port, $1.prefixLength) }
    }

    /// Of these the keys that are ports of services.
    func serviceKeys(for ports: NamedPorts, groups: [LabelSet], action: RuleAction) -> [PortKey] {
        var named: [NamedPort] = []
        var result: [PortKey] = []
        for port in services.flatMap({ $0.ports(of: groups) }) {
            switch port.number {
            case .all: result.append(PortKey(proto: port.proto.rawValue, port: 0, prefixLength: 0))
            case .number(let number):
                result.append(PortKey(proto: port.proto.rawValue, port: number, prefixLength: 16))
            case .named(let name): named.append(NamedPort(proto: port.proto, name: name))
            }
        }
        for key in LoweredPorts.keys(of: named, ports, action) where !result.contains(key) { result.append(key) }
        return result
    }

    /// Of these the keys that come from names.
    func namedKeys(for ports: NamedPorts, action: RuleAction) -> [PortKey] {
        LoweredPorts.keys(of: names, ports, action)
    }

    private static func keys(of names: [NamedPort], _ ports: NamedPorts, _ action: RuleAction) -> [PortKey] {
        var result: [PortKey] = []
        for name in names {
            let numbers = ports.numbers[name] ?? []
            guard numbers.count == 1 || action == .deny else { continue }
            for number in numbers.sorted() {
                let key = PortKey(proto: name.proto.rawValue, port: number, prefixLength: 16)
                if !result.contains(key) { result.append(key) }
            }
        }
        return result
    }
}
