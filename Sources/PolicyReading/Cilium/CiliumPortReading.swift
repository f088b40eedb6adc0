// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import PolicyModel

/// Lowers one element of `toPorts`.
struct CiliumPortReading {
    let section: CiliumSection
    /// A policy with `nodeSelector`.
    var subjectIsHost = false

    /// Entries that Cilium accepts in one list.
    static let portableCountMax = 40

    private static let allowFields = FieldTable(
        ["ports", "rules", "serverNames", "terminatingTLS", "originatingTLS", "listener"], notes: CiliumL7Reading.notes)
    private static let denyFields = FieldTable(
        ["ports"],
        refused: ["rules": .init(.unsupportedL7, "a deny rule cannot have L7 rules", remedy: "delete `rules`")])
    private static let portFields = FieldTable(["port", "endPort", "protocol"])

    /// The ports of the element.
    func read(_ field: Field) -> [PortMatch] {
        let table = section.action == .deny ? CiliumPortReading.denyFields : CiliumPortReading.allowFields
        let errorsBefore = field.context.errorCount
        guard let mapping = field.mapping(table) else { return [] }
        if section.action == .allow { CiliumL7Reading(section: section, subjectIsHost: subjectIsHost).check(mapping) }
        guard let ports = mapping["ports"]?.elements() else {
            if field.context.errorCount == errorsBefore { lintNoPorts(field) }
            return []
        }
        if ports.isEmpty { lintNoPorts(field) }
        if ports.count > CiliumPortReading.portableCountMax {
            mapping.keyField("ports")?.report(
                .warning, .manyPorts, "\(ports.count) ports in one list; Cilium refuses more than 40",
                remedy: "split the list if the policy is used with Cilium too")
        }
        return ports.flatMap(readPort)
    }

    private func lintNoPorts(_ field: Field) {
        field.report(
            .warning, .selectsNothing, "an element of toPorts without ports selects nothing",
            remedy: "list ports (port \"0\" means all), or delete toPorts for every protocol")
    }

    private func readPort(_ field: Field) -> [PortMatch] {
        guard let mapping = field.mapping(CiliumPortReading.portFields), let transports = transports(mapping),
            let portField = mapping.required("port", remedy: "write port: \"0\" for all ports"),
            let text = portField.string()
        else { return [] }
        let endField = mapping["endPort"]
        let end = endField?.integer()
        if mapping.has("endPort"), end == nil { return [] }
        if let end, let endField, !(0...65535).contains(end) {
            endField.error(.invalidPort, "\(end) is not a port number", remedy: "write 1 to 65535")
            return []
        }
        if PortName.isValid(text) {
            endField?.report(
                .warning, .endPortIgnored, "endPort has no effect on a named port", remedy: "write port as a number")
            return transports.map { .named($0, text.lowercased()) }
        }
        guard let first = number(text, at: portField) else { return [] }
        return range(from: first, to: end, at: endField).map { range in transports.map { .range($0, range) } } ?? []
    }

    private func number(_ text: String, at field: Field) -> UInt16? {
        let isDecimal = !text.isEmpty && text.utf8.allSatisfy { (48...57).contains($0) }
        if isDecimal, text.count > 1, text.hasPrefix("0") {
            field.error(
                .invalidPort, "port \(field.quoted) has a leading zero, which Cilium reads as octal",
                remedy: "write the number in decimal without the zero")
            return nil
        }
        guard isDecimal, let number = UInt16(text) else {
            field.error(
                .invalidPort, "\(field.quoted) is neither a port number nor a port name",
                remedy: "write \"0\" to \"65535\", or a name of up to 15 letters, digits and hyphens")
            return nil
        }
        return number
    }

    /// Port 0 is every port; an end before the start counts for nothing, as in Cilium.
    private func range(from first: UInt16, to end: Int?, at field: Field?) -> ClosedRange<UInt16>? {
        guard let end, end != 0 else { return first == 0 ? 0...UInt16.max : first...first }
        guard first != 0 else {
            field?.error(
                .invalidPort, "port \"0\" already means every port and cannot start a range",
                remedy: "write port: \"1\", or delete endPort")
            return nil
        }
        guard end >= Int(first) else {
            field?.report(
                .warning, .endPortIgnored, "endPort \(end) is less than port \(first) and has no effect",
                remedy: "swap the two numbers")
            return first...first
        }
        return first...UInt16(end)
    }

    private func transports(_ mapping: Mapping) -> [IPProtocol]? {
        guard let field = mapping["protocol"] else {
            return mapping.has("protocol") ? nil : [.tcp, .udp, .sctp]
        }
        guard let text = field.string() else { return nil }
        switch text.uppercased() {
        case "ANY": return [.tcp, .udp, .sctp]
        case "TCP": return [.tcp]
        case "UDP": return [.udp]
        case "SCTP": return [.sctp]
        case "ICMP", "ICMPV6":
            field.error(.unknownProtocol, "ICMP has types, not ports", remedy: "write `icmps` instead of toPorts")
        case "VRRP", "IGMP", "GRE", "IPIP", "IPV6", "ESP", "AH":
            field.error(
                .unsupportedProtocol, "protocol \(field.quoted) is not supported yet",
                remedy: "an element without toPorts covers every protocol")
        default:
            let guess = closestWord(to: text, among: ["TCP", "UDP", "SCTP", "ANY"])
            field.error(
                .unknownProtocol, "unknown protocol \(field.quoted)",
                remedy: guess.map { "did you mean `\($0)`?" } ?? "write TCP, UDP, SCTP or ANY")
        }
        return nil
    }
}
