// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import PolicyModel

/// Lowers one port of a NetworkPolicy rule: a number, a range or a name; without a port the whole protocol.
enum NetworkPolicyPortReading {
    private static let fields = FieldTable(["port", "protocol", "endPort"])

    /// The port; nil after an error.
    static func read(_ field: Field) -> PortMatch? {
        guard let mapping = field.mapping(fields), let transport = transport(mapping) else { return nil }
        guard let portField = mapping["port"] else {
            mapping.keyField("endPort")?.error(
                .invalidPort, "endPort needs a port to start from", remedy: "add port, the first of the range")
            return mapping.has("port") ? nil : .range(transport, 0...UInt16.max)
        }
        guard let (number, name) = portField.integerOrString() else { return nil }
        if let name { return named(name, transport, at: portField, in: mapping) }
        guard let number, let first = portNumber(number, at: portField) else { return nil }
        guard let endField = mapping["endPort"] else {
            return mapping.has("endPort") ? nil : .range(transport, first...first)
        }
        guard let end = endField.integer(), let last = portNumber(end, at: endField) else { return nil }
        guard last >= first else {
            endField.error(
                .invalidPort, "endPort \(last) is less than port \(first)", remedy: "swap the two numbers")
            return nil
        }
        return .range(transport, first...last)
    }

    private static func transport(_ mapping: Mapping) -> IPProtocol? {
        guard let field = mapping["protocol"] else { return mapping.has("protocol") ? nil : .tcp }
        switch field.string() {
        case "TCP": return .tcp
        case "UDP": return .udp
        case "SCTP": return .sctp
        case nil: return nil
        case .some(let text):
            let guess = closestWord(to: text, among: ["TCP", "UDP", "SCTP"])
            field.error(
                .unknownProtocol, "\(field.quoted) is not a protocol of NetworkPolicy",
                remedy: guess.map { "did you mean `\($0)`?" } ?? "write TCP, UDP or SCTP")
            return nil
        }
    }

    private static func portNumber(_ number: Int, at field: Field) -> UInt16? {
        guard (1...65535).contains(number) else {
            field.error(
                .invalidPort, "\(number) is not a port number", remedy: "write 1 to 65535, or leave port out for all")
            return nil
        }
        return UInt16(number)
    }

    private static func named(
        _ name: String, _ transport: IPProtocol, at field: Field, in mapping: Mapping
    ) -> PortMatch? {
        guard PortName.isValid(name), name == name.lowercased() else {
            field.error(
                .invalidPort, "\(field.quoted) is not a port name",
                remedy: Int(name) != nil
                    ? "write the number without quotes" : "use up to 15 lower-case letters, digits and hyphens")
            return nil
        }
        guard !mapping.has("endPort") else {
            mapping.keyField("endPort")?.error(
                .invalidPort, "a named port cannot start a range", remedy: "write port as a number")
            return nil
        }
        return .named(transport, name)
    }
}

/// Names of ports, as IANA allows them (RFC 6335 §5.1).
enum PortName {
    /// 1 to 15 letters, digits and hyphens with at least one letter, no hyphen at an end or next to another.
    static func isValid(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        let isLetter = { (byte: UInt8) in (97...122).contains(byte | 0x20) }
        guard (1...15).contains(bytes.count), bytes.contains(where: isLetter), bytes.first != 45, bytes.last != 45
        else { return false }
        return bytes.indices.allSatisfy { index in
            let byte = bytes[index]
            return isLetter(byte) || (48...57).contains(byte) || (byte == 45 && bytes[index - 1] != 45)
        }
    }
}
