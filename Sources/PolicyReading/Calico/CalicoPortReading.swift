// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import PolicyModel

/// Lowers protocol, ICMP and ports of a Calico rule.
struct CalicoPortReading {
    /// What a rule covers; ICMP is of one family by itself.
    struct Ports {
        var selection: PortSelection
        var impliesFamily = false
    }

    private static let names: [String: IPProtocol] = [
        "tcp": .tcp, "udp": .udp, "sctp": .sctp, "icmp": .icmp, "icmpv6": .icmpv6,
        "udplite": IPProtocol(rawValue: 136),
    ]
    private static let everyPort: ClosedRange<Int> = 0...65535

    /// Nil after an error.
    static func read(_ rule: Mapping, family: Int?) -> Ports? {
        let errorsBefore = rule.field.context.errorCount
        let proto = rule["protocol"].flatMap(number)
        let notProto = rule["notProtocol"].flatMap(number)
        let detail = icmp(rule, proto)
        let ports = self.ports(rule, proto)
        if let proto, proto == .icmp || proto == .icmpv6, let family, (family == 4) != (proto == .icmp) {
            rule["protocol"]?.error(
                .unknownProtocol, "\(proto) is not sent over IPv\(family)",
                remedy: "write \(proto == .icmp ? "ICMPv6" : "ICMP"), or another ipVersion")
        }
        guard rule.field.context.errorCount == errorsBefore else { return nil }
        guard let proto else {
            guard let notProto else { return Ports(selection: .all) }
            // 0 stands for every protocol in the tables, and no packet's payload is of it.
            return Ports(
                selection: .some(
                    (1...255).map { IPProtocol(rawValue: $0) }.filter { $0 != notProto }.map(PortMatch.wholeProtocol)))
        }
        guard proto != notProto else { return Ports(selection: .some([])) }
        let isICMP = proto == .icmp || proto == .icmpv6
        return Ports(
            selection: .some(
                detail ?? ports ?? [proto.hasPorts ? .range(proto, 0...UInt16.max) : .wholeProtocol(proto)]),
            impliesFamily: isICMP)
    }

    static func number(_ field: Field) -> IPProtocol? {
        guard let (number, name) = field.integerOrString() else { return nil }
        if let name, let known = names[name.lowercased()] { return known }
        if let value = number ?? name.flatMap({ Int($0) }), let byte = UInt8(exactly: value), byte > 0 {
            return IPProtocol(rawValue: byte)
        }
        let words = ["TCP", "UDP", "SCTP", "ICMP", "ICMPv6", "UDPLite"]
        let guess = name.flatMap { closestWord(to: $0, among: words) }
        field.error(
            .unknownProtocol, "\(field.quoted) is not a protocol",
            remedy: guess.map { "did you mean `\($0)`?" } ?? "write \(words.joined(separator: ", ")), or 1 to 255")
        return nil
    }

    // MARK: ICMP

    /// Nil if neither field is written, and after an error.
    private static func icmp(_ rule: Mapping, _ proto: IPProtocol?) -> [PortMatch]? {
        guard rule.has("icmp") || rule.has("notICMP") else { return nil }
        guard let proto, proto == .icmp || proto == .icmpv6 else {
            (rule.keyField("icmp") ?? rule.keyField("notICMP"))?.error(
                .mixedPorts, "icmp and notICMP need protocol ICMP or ICMPv6", remedy: "write protocol: ICMP")
            return nil
        }
        let wanted = rule["icmp"].flatMap { icmpRange($0, proto) } ?? everyPort
        let unwanted = rule["notICMP"].flatMap { icmpRange($0, proto) }
        return PortRanges.subtracting(unwanted.map { [$0] } ?? [], from: [wanted]).map { match(proto, $0) }
    }

    private static func icmpRange(_ field: Field, _ proto: IPProtocol) -> ClosedRange<Int>? {
        guard let mapping = field.mapping(FieldTable(["type", "code"])) else { return nil }
        guard let typeField = mapping["type"] else {
            mapping.keyField("code")?.error(
                .invalidICMPType, "an ICMP code means something in its type only", remedy: "add the type")
            return mapping.has("type") || mapping.has("code") ? nil : everyPort
        }
        guard let type = typeField.integer() else { return nil }
        guard (0...254).contains(type) else {
            typeField.error(.invalidICMPType, "\(type) is not an ICMP type", remedy: "write 0 to 254")
            return nil
        }
        guard mapping.has("code") else { return type << 8...type << 8 | 0xff }
        guard let codeField = mapping["code"], let code = codeField.integer() else { return nil }
        guard (0...255).contains(code) else {
            codeField.error(.invalidICMPType, "\(code) is not an ICMP code", remedy: "write 0 to 255")
            return nil
        }
        let answered = proto == .icmp ? [0, 8, 13, 14] : [128, 129]
        guard code == 0 || !answered.contains(type) else {
            codeField.error(
                .invalidICMPType, "code \(code) of type \(type) is not told apart: its messages have code 0",
                remedy: "delete the code")
            return nil
        }
        return type << 8 | code...type << 8 | code
    }

    // MARK: Ports

    /// Nil if neither field is written, and after an error.
    private static func ports(_ rule: Mapping, _ proto: IPProtocol?) -> [PortMatch]? {
        let end = rule["destination"].flatMap { field -> Mapping? in
            guard case .mapping(let pairs) = field.node.content else { return nil }
            return Mapping(pairs: pairs, field: field)
        }
        guard let end else { return nil }
        let wanted = end["ports"]?.elements() ?? [], unwanted = end["notPorts"]?.elements() ?? []
        guard !wanted.isEmpty || !unwanted.isEmpty else { return nil }
        guard let proto, proto.hasPorts else {
            (end.keyField("ports") ?? end.keyField("notPorts"))?.error(
                .mixedPorts, "ports need protocol TCP, UDP or SCTP", remedy: "write protocol: TCP beside `destination`")
            return nil
        }
        let ranges = wanted.compactMap { port($0, proto) }
        let without = unwanted.compactMap { port($0, proto) }
        let excluded = without.compactMap { match -> ClosedRange<Int>? in
            switch match {
            case .range(_, let range): return Int(range.lowerBound)...Int(range.upperBound)
            default: return nil
            }
        }
        if unwanted.isEmpty { return PortMatch.unique(ranges) }
        if (ranges + without).contains(where: { $0.portName != nil }) {
            return [.without(difference(proto, wanted.isEmpty ? [.range(proto, 0...UInt16.max)] : ranges, without))]
        }
        let numbers = ranges.compactMap { match -> ClosedRange<Int>? in
            guard case .range(_, let range) = match else { return nil }
            return Int(range.lowerBound)...Int(range.upperBound)
        }
        return PortRanges.subtracting(excluded, from: wanted.isEmpty ? [everyPort] : numbers).map { match(proto, $0) }
    }

    private static func difference(_ proto: IPProtocol, _ ports: [PortMatch], _ others: [PortMatch]) -> PortDifference {
        func ranges(_ matches: [PortMatch]) -> [ClosedRange<UInt16>] {
            matches.compactMap { if case .range(_, let range) = $0 { range } else { nil } }
        }
        return PortDifference(
            proto, ranges: ranges(ports), names: ports.compactMap(\.portName), exceptRanges: ranges(others),
            exceptNames: others.compactMap(\.portName))
    }

    /// A number, a range `first:last`, or a name; nil after an error.
    private static func port(_ field: Field, _ proto: IPProtocol) -> PortMatch? {
        guard let (number, text) = field.integerOrString() else { return nil }
        if let number { return portNumber(number, field).map { .range(proto, $0...$0) } }
        guard let text else { return nil }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { Int($0) }
        if numbers.count == parts.count, parts.count <= 2 {
            guard let first = portNumber(numbers[0], field), let last = portNumber(numbers[numbers.count - 1], field)
            else { return nil }
            guard first <= last else {
                field.error(.invalidPort, "range \(field.quoted) ends before it begins", remedy: "swap the two numbers")
                return nil
            }
            return .range(proto, first == 1 && last == UInt16.max ? 0...last : first...last)
        }
        guard PortName.isValid(text) else {
            field.error(
                .invalidPort, "\(field.quoted) is neither a port, a range nor a port name",
                remedy: "write a number, \"FIRST:LAST\", or up to 15 letters, digits and hyphens")
            return nil
        }
        return .named(proto, text)
    }

    private static func portNumber(_ number: Int, _ field: Field) -> UInt16? {
        guard (1...65535).contains(number) else {
            field.error(.invalidPort, "\(number) is not a port number", remedy: "write 1 to 65535")
            return nil
        }
        return UInt16(number)
    }

    private static func match(_ proto: IPProtocol, _ range: ClosedRange<Int>) -> PortMatch {
        let ports = UInt16(range.lowerBound)...UInt16(range.upperBound)
        let isWholeType = ports.lowerBound & 0xff == 0 && ports.upperBound == ports.lowerBound | 0xff
        return !proto.hasPorts && isWholeType
            ? .icmpType(proto, UInt8(ports.lowerBound >> 8)) : .range(proto, ports)
    }
}

extension PortMatch {
    fileprivate var portName: String? { if case .named(_, let name) = self { name } else { nil } }
}
