// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel

/// Reads `ports` of Service, Endpoints and EndpointSlice: where whoever is behind the service is reached.
enum ServicePortReading {
    private static let fields = FieldTable(["name", "protocol", "port", "appProtocol"])
    private static let serviceFields = FieldTable([
        "name", "protocol", "port", "appProtocol", "targetPort", "nodePort",
    ])
    private static let protocols: [String: IPProtocol] = ["TCP": .tcp, "UDP": .udp, "SCTP": .sctp]

    /// Of Endpoints and EndpointSlice; without a number all ports are meant.
    static func ports(_ list: Field?) -> [ServicePort] {
        elements(list).compactMap { element in
            guard let mapping = element.mapping(fields), let proto = proto(mapping) else { return nil }
            guard let field = value("port", mapping) else { return ServicePort(proto: proto, number: .all) }
            return field.integer().flatMap { number($0, field) }.map { ServicePort(proto: proto, number: .number($0)) }
        }
    }

    /// Of a Service: the port at its workloads, `targetPort`, which is `port` if it is missing.
    static func targetPorts(_ list: Field?) -> [ServicePort] {
        elements(list).compactMap { element in
            guard let mapping = element.mapping(serviceFields), let proto = proto(mapping),
                let field = value("targetPort", mapping) ?? mapping.required("port"),
                let (integer, name) = field.integerOrString()
            else { return nil }
            if let name { return ServicePort(proto: proto, number: .named(name)) }
            return integer.flatMap { number($0, field) }.map { ServicePort(proto: proto, number: .number($0)) }
        }
    }

    private static func elements(_ list: Field?) -> [Field] {
        guard let list, !list.node.isNull else { return [] }
        return list.elements() ?? []
    }

    private static func value(_ name: String, _ mapping: Mapping) -> Field? {
        mapping.nullable(name).flatMap { $0.node.isNull ? nil : $0 }
    }

    /// Nil after an error.
    private static func proto(_ mapping: Mapping) -> IPProtocol? {
        guard let field = value("protocol", mapping) else { return .tcp }
        guard let text = field.string() else { return nil }
        if let known = protocols[text] { return known }
        field.error(.unknownProtocol, "\(field.quoted) is not a protocol of services", remedy: "write TCP, UDP or SCTP")
        return nil
    }

    private static func number(_ number: Int, _ field: Field) -> UInt16? {
        if let port = UInt16(exactly: number), port > 0 { return port }
        field.error(.invalidPort, "\(number) is not a port number", remedy: "write 1 to 65535")
        return nil
    }
}
