// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel

/// Lowers `services` of a Calico rule: whoever is behind a service; where the rule is about what is sent to it, on the
/// service's own ports.
struct CalicoServiceReading {
    let scope: CalicoScope
    let direction: Direction

    private static let fields = FieldTable(["name", "namespace"])
    /// What Calico does not take beside it.
    private static let others = [
        "selector", "notSelector", "namespaceSelector", "serviceAccounts", "nets", "notNets", "domains",
    ]
    private static let protocols: [IPProtocol] = [.tcp, .udp, .sctp]

    /// The groups that stand for the service; nil after an error.
    func read(_ entity: Mapping) -> LabelSelector? {
        guard let field = entity["services"] else { return nil }
        let errorsBefore = field.context.errorCount
        for name in CalicoServiceReading.others where entity.has(name) {
            entity.keyField(name)?.error(
                .mixedPeers, "one end has both services and \(name)",
                remedy: "write two rules, or delete one of the two")
        }
        if direction == .egress {
            for name in ["ports", "notPorts"] where entity.has(name) {
                entity.keyField(name)?.error(
                    .mixedPorts, "a service brings its own ports, so \(name) cannot be written beside it",
                    remedy: "delete \(name)")
            }
        }
        guard let mapping = field.mapping(CalicoServiceReading.fields),
            let nameField = mapping.required("name", remedy: "write the service's name"), let name = nameField.string()
        else { return nil }
        if name.isEmpty { nameField.error(.missingField, "the service's name is empty", remedy: "write it") }
        var namespace = mapping["namespace"].flatMap { $0.string() } ?? ""
        if namespace.isEmpty { namespace = scope.namespace }
        if namespace.isEmpty {
            (mapping.keyField("namespace") ?? mapping.field).error(
                .missingField, "a rule for every namespace has to say in which one the service is",
                remedy: "write `services: {name: \(name), namespace: NAMESPACE}`")
        }
        return field.context.errorCount == errorsBefore ? ClusterObjects.service(name, in: namespace) : nil
    }

    /// The ports of a rule that is about what is sent to the service; nil after an error.
    static func ports(of rule: Mapping, _ service: LabelSelector) -> PortSelection? {
        for name in ["icmp", "notICMP"] where rule.has(name) {
            rule.keyField(name)?.error(.mixedPorts, "no service has ports of ICMP", remedy: "delete \(name)")
            return nil
        }
        let proto = rule["protocol"].flatMap(CalicoPortReading.number)
        let notProto = rule["notProtocol"].flatMap(CalicoPortReading.number)
        if let proto, !protocols.contains(proto) {
            rule["protocol"]?.error(
                .mixedPorts, "no service has ports of \(proto)", remedy: "write TCP, UDP or SCTP, or delete the field")
            return nil
        }
        guard notProto != nil else {
            return .some([.ofServices(ServicePortSelector(services: service, proto: proto))])
        }
        let left = protocols.filter { $0 != notProto && (proto == nil || proto == $0) }
        return .some(left.map { .ofServices(ServicePortSelector(services: service, proto: $0)) })
    }
}
