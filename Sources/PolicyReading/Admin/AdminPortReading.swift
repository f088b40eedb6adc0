// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import PolicyModel

/// Lowers the ports of a rule of an admin policy: `ports` of v1alpha1, `protocols` of v1alpha2.
struct AdminPortReading {
    let dialect: AdminDialect

    private static let transports: [(word: String, transport: IPProtocol)] = [
        ("TCP", .tcp), ("UDP", .udp), ("SCTP", .sctp),
    ]

    func read(_ rule: Mapping) -> PortSelection {
        let name = dialect.portsField
        guard let field = rule[name], let elements = field.elements() else { return .all }
        if name == "protocols" {
            checkCount(elements, 1...25, field, "protocols", elements.isEmpty ? "delete the field" : "split the rule")
            return .some(elements.flatMap(protocolElement))
        }
        checkCount(elements, 0...100, field, "ports", "use a portRange, or split the rule")
        return elements.isEmpty ? .all : .some(elements.flatMap(portElement))
    }

    private func portElement(_ field: Field) -> [PortMatch] {
        let kinds = ["portNumber", "portRange", "namedPort"]
        guard let mapping = field.mapping(FieldTable(kinds)), let kind = onlyKind(mapping, kinds),
            let value = mapping[kind]
        else { return [] }
        switch kind {
        case "namedPort": return named(value)
        case "portNumber":
            guard let port = value.mapping(FieldTable(["protocol", "port"])), let transport = transport(port),
                let number = number(port, "port", least: 1)
            else { return [] }
            return [.range(transport, number...number)]
        default:
            guard let port = value.mapping(FieldTable(["protocol", "start", "end"])), let transport = transport(port)
            else { return [] }
            return range(port).map { [.range(transport, $0)] } ?? []
        }
    }

    private func protocolElement(_ field: Field) -> [PortMatch] {
        let kinds = ["tcp", "udp", "sctp", "destinationNamedPort"]
        guard let mapping = field.mapping(FieldTable(kinds)), let kind = onlyKind(mapping, kinds),
            let value = mapping[kind]
        else { return [] }
        if kind == "destinationNamedPort" { return named(value) }
        let transport: IPProtocol = kind == "tcp" ? .tcp : kind == "udp" ? .udp : .sctp
        guard
            let port = value.mapping(FieldTable(["destinationPort"]))?
                .required("destinationPort", remedy: "for all ports write `range: {start: 1, end: 65535}`"),
            let content = port.mapping(FieldTable(["number", "range"])),
            let form = onlyKind(content, ["number", "range"])
        else { return [] }
        if form == "number" { return number(content, "number", least: 1).map { [.range(transport, $0...$0)] } ?? [] }
        let bounds = content[form]?.mapping(FieldTable(["start", "end"])).flatMap(range)
        return bounds.map { [.range(transport, $0)] } ?? []
    }

    private func onlyKind(_ mapping: Mapping, _ kinds: [String]) -> String? {
        let written = kinds.filter(mapping.has)
        guard written.count == 1, let kind = written.first else {
            let place = written.count > 1 ? mapping.keyField(written[1]) : mapping.pairs.isEmpty ? mapping.field : nil
            place?.error(
                .invalidPort,
                written.count > 1
                    ? "one element has both \(written[0]) and \(written[1])" : "an element is empty",
                remedy: written.count > 1
                    ? "write two list elements (`- `)" : "write one of \(kinds.joined(separator: ", "))")
            return nil
        }
        return kind
    }

    private func transport(_ mapping: Mapping) -> IPProtocol? {
        guard mapping.has("protocol") else { return .tcp }
        guard let field = mapping["protocol"], let text = field.string() else { return nil }
        if let known = AdminPortReading.transports.first(where: { $0.word == text }) { return known.transport }
        let guess = closestWord(to: text, among: AdminPortReading.transports.map(\.word))
        field.error(
            .unknownProtocol, "\(field.quoted) is not a protocol of this API",
            remedy: guess.map { "did you mean `\($0)`?" } ?? "write TCP, UDP or SCTP")
        return nil
    }

    private func range(_ mapping: Mapping) -> ClosedRange<UInt16>? {
        guard let start = number(mapping, "start", least: 1), let end = number(mapping, "end", least: 1) else {
            return nil
        }
        guard start < end else {
            mapping["end"]?.error(
                .invalidPort, "end \(end) is not greater than start \(start)",
                remedy: start == end ? "write a single port" : "swap the two numbers")
            return nil
        }
        // Every port there is: the whole protocol, later fragments included.
        return start == 1 && end == UInt16.max ? 0...end : start...end
    }

    private func number(_ mapping: Mapping, _ name: String, least: Int) -> UInt16? {
        guard let field = mapping.required(name), let number = field.integer() else { return nil }
        guard (least...65535).contains(number) else {
            field.error(.invalidPort, "\(number) is not a port number", remedy: "write \(least) to 65535")
            return nil
        }
        return UInt16(number)
    }

    /// The API gives a name no protocol: whatever the destination calls so.
    private func named(_ field: Field) -> [PortMatch] {
        guard let name = field.string() else { return [] }
        guard PortName.isValid(name), name == name.lowercased() else {
            field.error(
                .invalidPort, "\(field.quoted) is not a port name",
                remedy: "use up to 15 lower-case letters, digits and hyphens, a letter among them")
            return []
        }
        return AdminPortReading.transports.map { .named($0.transport, name) }
    }
}
