// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import PolicyModel

/// Lowers one element of `icmps`: types by number or by name, for each family.
enum CiliumICMPReading {
    private static let fields = FieldTable(["fields"])
    private static let typeFields = FieldTable(["family", "type"])

    /// The types of the element.
    static func read(_ field: Field) -> [PortMatch] {
        guard let mapping = field.mapping(fields) else { return [] }
        let list = mapping["fields"]
        guard let elements = list == nil && !mapping.has("fields") ? [] : list?.elements() else { return [] }
        if elements.isEmpty {
            field.report(
                .warning, .selectsNothing, "an element of icmps without types selects nothing",
                remedy: "list types, such as `fields: [{type: EchoRequest}]`, or delete the element")
        }
        if elements.count > CiliumPortReading.portableCountMax {
            mapping.keyField("fields")?.report(
                .warning, .manyPorts, "\(elements.count) types in one list; Cilium refuses more than 40",
                remedy: "split the list if the policy is used with Cilium too")
        }
        return elements.compactMap(readType)
    }

    private static func readType(_ field: Field) -> PortMatch? {
        guard let mapping = field.mapping(typeFields), let family = family(mapping),
            let typeField = mapping.required("type"), let (number, name) = typeField.integerOrString()
        else { return nil }
        let transport: IPProtocol = family == 4 ? .icmp : .icmpv6
        if let name { return named(name, transport, at: typeField) }
        guard let number, let type = UInt8(exactly: number) else {
            typeField.error(.invalidICMPType, "\(typeField.quoted) is not an ICMP type", remedy: "write 0 to 255")
            return nil
        }
        return .icmpType(transport, type)
    }

    private static func family(_ mapping: Mapping) -> Int? {
        guard let field = mapping["family"] else { return mapping.has("family") ? nil : 4 }
        switch field.string() {
        case "IPv4": return 4
        case "IPv6": return 6
        case nil: return nil
        default:
            field.error(.unknownValue, "\(field.quoted) is not a family", remedy: "write IPv4 (the default) or IPv6")
            return nil
        }
    }

    private static func named(_ name: String, _ transport: IPProtocol, at field: Field) -> PortMatch? {
        let own = transport == .icmp ? ICMPTypeName.ipv4 : ICMPTypeName.ipv6
        if let type = own[name] { return .icmpType(transport, type) }
        let other = transport == .icmp ? ICMPTypeName.ipv6 : ICMPTypeName.ipv4
        let remedy: String
        if other[name] != nil {
            remedy = "it is one of \(transport == .icmp ? "IPv6" : "IPv4"): set family"
        } else if Int(name) != nil {
            remedy = "write the number without quotes"
        } else {
            remedy = closestWord(to: name, among: own.keys).map { "did you mean `\($0)`?" } ?? "write the type's number"
        }
        field.error(
            .invalidICMPType, "\(field.quoted) is not a type of \(transport == .icmp ? "ICMPv4" : "ICMPv6")",
            remedy: remedy)
        return nil
    }
}

/// The names that Cilium gives to ICMP types.
enum ICMPTypeName {
    static let ipv4: [String: UInt8] = [
        "EchoReply": 0, "DestinationUnreachable": 3, "Redirect": 5, "Echo": 8, "EchoRequest": 8,
        "RouterAdvertisement": 9, "RouterSelection": 10, "TimeExceeded": 11, "ParameterProblem": 12, "Timestamp": 13,
        "TimestampReply": 14, "Photuris": 40, "ExtendedEchoRequest": 42, "ExtendedEchoReply": 43,
    ]
    static let ipv6: [String: UInt8] = [
        "DestinationUnreachable": 1, "PacketTooBig": 2, "TimeExceeded": 3, "ParameterProblem": 4, "EchoRequest": 128,
        "EchoReply": 129, "MulticastListenerQuery": 130, "MulticastListenerReport": 131, "MulticastListenerDone": 132,
        "RouterSolicitation": 133, "RouterAdvertisement": 134, "NeighborSolicitation": 135,
        "NeighborAdvertisement": 136, "RedirectMessage": 137, "RouterRenumbering": 138,
        "ICMPNodeInformationQuery": 139, "ICMPNodeInformationResponse": 140,
        "InverseNeighborDiscoverySolicitation": 141, "InverseNeighborDiscoveryAdvertisement": 142,
        "HomeAgentAddressDiscoveryRequest": 144, "HomeAgentAddressDiscoveryReply": 145,
        "MobilePrefixSolicitation": 146, "MobilePrefixAdvertisement": 147, "DuplicateAddressRequestCodeSuffix": 157,
        "DuplicateAddressConfirmationCodeSuffix": 158, "ExtendedEchoRequest": 160, "ExtendedEchoReply": 161,
    ]
}
