// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel

/// Reads the probes of a policy test and resolves what they name: workloads, families, port names.
struct PolicyTestProbeReading {
    let workloads: [PolicyTest.Workload]
    private let names: [DomainName: [IPAddress]]
    private let indexes: [String: Int]

    private static let fields = FieldTable([
        "from", "to", "through", "port", "protocol", "family", "icmpType", "icmpCode", "expect", "rule",
    ])

    init(workloads: [PolicyTest.Workload], names: [DomainName: [IPAddress]]) {
        self.workloads = workloads
        self.names = names
        indexes = Dictionary(workloads.enumerated().map { ($1.key, $0) }) { first, _ in first }
    }

    /// The probe; nil after an error.
    func read(_ field: Field) -> PolicyTest.Probe? {
        guard let mapping = field.mapping(PolicyTestProbeReading.fields),
            let source = mapping.required("from").flatMap(end),
            let destination = mapping.required("to").flatMap(end),
            let proto = mapping.has("protocol") ? mapping["protocol"].flatMap(Self.proto) : .tcp,
            let isIPv4 = family(mapping, source, destination, proto),
            let from = source.end(isIPv4: isIPv4) ?? source.lone,
            let to = destination.end(isIPv4: isIPv4) ?? destination.lone,
            let expectation = mapping.required("expect").flatMap(expectation)
        else { return nil }
        let carried = proto == .icmp && !isIPv4 ? .icmpv6 : proto
        guard let port = port(mapping, carried, to), let through = through(mapping, from, to) else { return nil }
        let isICMP = carried == .icmp || carried == .icmpv6
        let code = port & 0xff == 0 ? "" : " code \(port & 0xff)"
        let detail = isICMP ? " type \(port >> 8)\(code)" : carried.hasPorts ? "/\(port)" : ""
        return PolicyTest.Probe(
            location: field.location, source: from, destination: to, through: through, proto: carried, port: port,
            expectation: expectation, rule: mapping["rule"]?.string(),
            text: "\(source.text) -> \(destination.text) \(carried)\(detail)"
                + (through.map { " through \(workloads[$0].key)" } ?? "")
                + (isIPv4 || isICMP ? "" : " over IPv6"))
    }

    // MARK: The way

    /// The host that forwards the packet; nil inside: none is named; nil after an error.
    private func through(_ mapping: Mapping, _ source: PolicyTest.End, _ destination: PolicyTest.End) -> Int?? {
        guard mapping.has("through") else { return .some(nil) }
        guard let field = mapping["through"], let text = field.string() else { return nil }
        let key = text.contains("/") ? text : "\(field.context.options.defaultNamespace)/\(text)"
        guard let index = indexes[key], workloads[index].isHostNetwork else {
            let hosts = workloads.filter(\.isHostNetwork).map(\.key)
            field.error(
                .invalidTest, "\(field.quoted) is no host of this test",
                remedy: hosts.isEmpty
                    ? "list a workload with `hostNetwork: true`" : "write \(hosts.sorted().joined(separator: " or "))")
            return nil
        }
        let node = workloads[index].node
        let isEnd = [source, destination].contains { end in
            end.workload.map { workloads[$0].isHostNetwork && workloads[$0].node == node } ?? false
        }
        guard !isEnd, source.address != destination.address else {
            field.error(
                .invalidTest, "what \(key) sends or receives, or who sends to itself, does not pass through \(key)",
                remedy: "delete `through`, or name another end")
            return nil
        }
        return .some(index)
    }

    // MARK: Ends

    /// A side before its family is known.
    private struct Side {
        let text: String
        /// One for each address.
        let ends: [PolicyTest.End]

        func end(isIPv4: Bool) -> PolicyTest.End? { ends.first { $0.address.isIPv4 == isIPv4 } }

        func has(isIPv4: Bool) -> Bool { end(isIPv4: isIPv4) != nil }

        /// An address that was written as such: it has one family, whatever the probe says.
        var lone: PolicyTest.End? { IPAddress(text) == nil ? nil : ends.first }
    }

    private func end(_ field: Field) -> Side? {
        guard let text = field.string() else { return nil }
        if let address = IPAddress(text) { return Side(text: text, ends: [end(at: address)]) }
        if let name = DomainName(text), let addresses = names[name] {
            return Side(text: text, ends: addresses.map(end))
        }
        let key = text.contains("/") ? text : "\(field.context.options.defaultNamespace)/\(text)"
        guard let index = indexes[key] else {
            let guess = closestWord(to: key, among: workloads.map(\.key) + names.keys.map(\.description).sorted())
            field.error(
                .invalidTest, "\(field.quoted) is neither a workload nor a name of this test, nor an address",
                remedy: guess.map { "did you mean `\($0)`?" }
                    ?? "write namespace/name of a workload, a name that `names` lists, or an address")
            return nil
        }
        return Side(
            text: key, ends: workloads[index].addresses.map { PolicyTest.End(workload: index, address: $0) })
    }

    /// Whoever has the address; a name may point inside.
    private func end(at address: IPAddress) -> PolicyTest.End {
        PolicyTest.End(workload: workloads.firstIndex { $0.addresses.contains(address) }, address: address)
    }

    /// True for IPv4: what the probe says, or IPv4 where both ends have it; nil after an error.
    private func family(_ mapping: Mapping, _ source: Side, _ destination: Side, _ proto: IPProtocol) -> Bool? {
        func isCommon(_ isIPv4: Bool) -> Bool { source.has(isIPv4: isIPv4) && destination.has(isIPv4: isIPv4) }
        var isIPv4 = proto == .icmpv6 ? false : isCommon(true)
        if let field = mapping["family"] {
            switch field.string() {
            case "IPv4": isIPv4 = true
            case "IPv6": isIPv4 = false
            case nil: return nil
            default:
                field.error(.unknownValue, "\(field.quoted) is not a family", remedy: "write IPv4 or IPv6")
                return nil
            }
        } else if mapping.has("family") {
            return nil
        }
        if !isCommon(isIPv4), mapping.has("family"),
            let odd = [source, destination].first(where: { !$0.has(isIPv4: isIPv4) && $0.lone != nil }),
            [source, destination].allSatisfy({ $0.has(isIPv4: isIPv4) || $0.text == odd.text })
        {
            mapping["family"]?.report(
                .warning, .invalidTest,
                "\(odd.text) is no \(isIPv4 ? "IPv4" : "IPv6") address: no such packet travels, so the verdict is deny "
                    + "whatever the policies say", remedy: "write an address of this family")
            return isIPv4
        }
        guard isCommon(isIPv4) else {
            (mapping["family"] ?? mapping.field).error(
                .invalidTest, "\(source.text) and \(destination.text) have no \(isIPv4 ? "IPv4" : "common") address",
                remedy: "give both an address of the same family")
            return nil
        }
        return isIPv4
    }

    // MARK: Ports

    private func port(_ mapping: Mapping, _ proto: IPProtocol, _ destination: PolicyTest.End) -> UInt16? {
        if proto == .icmp || proto == .icmpv6 {
            mapping.keyField("port")?.error(.invalidPort, "ICMP has no ports", remedy: "write icmpType")
            guard let field = mapping["icmpType"] else {
                // Echo request.
                return mapping.has("port") || mapping.has("icmpType") ? nil : (proto == .icmp ? 8 : 128) << 8
            }
            guard let type = PolicyTestProbeReading.icmpNumber(field, "type"),
                let code = mapping.has("icmpCode")
                    ? mapping["icmpCode"].flatMap({ PolicyTestProbeReading.icmpNumber($0, "code") }) : 0
            else { return nil }
            return mapping.has("port") ? nil : UInt16(type) << 8 | UInt16(code)
        }
        mapping.keyField("icmpCode")?.error(.invalidICMPType, "\(proto) has no ICMP code", remedy: "write port")
        mapping.keyField("icmpType")?.error(.invalidICMPType, "\(proto) has no ICMP type", remedy: "write port")
        guard proto.hasPorts else {
            mapping.keyField("port")?.error(.invalidPort, "protocol \(proto) has no ports", remedy: "delete the field")
            return mapping.has("port") || mapping.has("icmpType") ? nil : 0
        }
        guard let field = mapping.required("port", remedy: "write the destination port") else { return nil }
        guard !mapping.has("icmpType") else { return nil }
        guard case .scalar(let scalar) = field.node.content, case .string(let name) = scalar.resolved else {
            return PolicyTestProbeReading.portNumber(field)
        }
        return named(name, proto, destination, at: field)
    }

    /// 0...255; nil after an error.
    private static func icmpNumber(_ field: Field, _ what: String) -> UInt8? {
        guard let number = field.integer() else { return nil }
        guard let byte = UInt8(exactly: number) else {
            field.error(.invalidICMPType, "\(number) is not an ICMP \(what)", remedy: "write 0 to 255")
            return nil
        }
        return byte
    }

    private func named(_ name: String, _ proto: IPProtocol, _ destination: PolicyTest.End, at field: Field) -> UInt16? {
        let workload = destination.workload.map { workloads[$0] }
        let numbers = workload?.ports.numbers[NamedPort(proto: proto, name: name)] ?? []
        guard numbers.count == 1, let number = numbers.first else {
            let owner = workload?.key ?? "\(destination.address)"
            field.error(
                .invalidTest,
                "\(owner) has \(numbers.isEmpty ? "no" : "more than one") \(proto) port named \(field.quoted)",
                remedy: "write a number, or add the name to the workload's ports")
            return nil
        }
        return number
    }

    /// 1...65535; nil after an error.
    static func portNumber(_ field: Field) -> UInt16? {
        guard let number = field.integer() else { return nil }
        guard (1...65535).contains(number) else {
            field.error(.invalidPort, "\(number) is not a port number", remedy: "write 1 to 65535")
            return nil
        }
        return UInt16(number)
    }

    /// A protocol by name or number; nil after an error.
    static func proto(_ field: Field) -> IPProtocol? {
        guard let (number, name) = field.integerOrString() else { return nil }
        if let proto = IPProtocol(name ?? number.map(String.init) ?? "") { return proto }
        field.error(.unknownProtocol, "\(field.quoted) is not a protocol", remedy: "write TCP, UDP, SCTP or ICMP")
        return nil
    }

    private func expectation(_ field: Field) -> PolicyTest.Expectation? {
        guard let text = field.string() else { return nil }
        if let expectation = PolicyTest.Expectation(rawValue: text) { return expectation }
        field.error(.unknownValue, "\(field.quoted) is not a verdict", remedy: "write allow, deny or audit")
        return nil
    }
}
