// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel

/// Reads a Calico HostEndpoint: labels, port names and profiles of the host that it names.
///
/// Where no policy and no profile decides, the host is closed but for its failsafe ports.
struct CalicoHostEndpointReading {
    let header: PolicyHeader

    private static let fields = FieldTable(
        ["node", "interfaceName", "expectedIPs", "profiles", "ports"],
        notes: [
            "node": "yes; the host's name as `hostname` prints it",
            "interfaceName": "`*`; a device if the agent's `hostEndpoint.devices` names it and no other",
            "expectedIPs": "where other hosts' policies find the host; which device is meant says `interfaceName`",
            "profiles": "yes, in the order of their names, `projectcalico-default-allow` last",
        ])

    /// The label of the host that a document is about: no selector can name it.
    private var marker: Label { Label(source: "calico", key: "hostendpoint:\(header.reference.name)", value: "") }

    func read(_ document: Mapping) -> PolicyContent {
        var content = PolicyContent(tier: .profile, order: .ordered(nil))
        guard let spec = document.required("spec")?.mapping(CalicoHostEndpointReading.fields) else { return content }
        let node = spec.required("node", remedy: "write the host's name, as `hostname` prints it")?.string() ?? ""
        let device = spec.required(
            "interfaceName", remedy: "write \"*\" for every device that is judged, or the name of the one"
        )?.string()
        let labels = (document["metadata"]?.child(entriesOf: "labels") ?? []).compactMap { entry in
            entry.value.string().map { Label(source: LabelSource.kubernetes, key: entry.key, value: $0) }
        }
        let profiles = profiles(spec["profiles"])
        content.grants = [
            EndpointGrant(
                recipient: .node(node, device: device == "*" ? nil : device),
                labels: [marker] + profiles.map { CalicoProfile.marker($0.name) } + labels,
                ports: ports(spec["ports"]))
        ]
        let addresses = addresses(spec["expectedIPs"])
        if !addresses.isEmpty {
            content.prefixGroup = PrefixGroup(
                labels: LabelSet(labels + [CalicoScope.setMarker]), prefixes: addresses, includesWorkloads: true)
        }
        let subject = SubjectSelector.hosts(marker.exists)
        for direction in [Direction.ingress, .egress] {
            content.defaultDeny.append(DefaultDeny(subject: subject, direction: direction))
            for (index, profile) in profiles.enumerated() where profile.name == CalicoProfile.allowAll {
                content.rules.append(
                    PolicyRule(
                        origin: header.origin(section: "profiles", index: index, at: profile.field), subject: subject,
                        direction: direction, isAudit: header.isAudit))
            }
        }
        return content
    }

    /// Profiles are asked by name: another order would mean something else.
    private func profiles(_ list: Field?) -> [(name: String, field: Field)] {
        let named = (list?.elements() ?? []).compactMap { field in field.string().map { (name: $0, field: field) } }
        func isOrdered(_ a: String, _ b: String) -> Bool {
            b == CalicoProfile.allowAll ? a != b : a != CalicoProfile.allowAll && a < b
        }
        for (first, second) in zip(named, named.dropFirst()) where !isOrdered(first.name, second.name) {
            second.field.error(
                .unsupportedMatch,
                "profiles are asked in the order of their names, \(CalicoProfile.allowAll) last, and "
                    + "`\(second.name)` does not come behind `\(first.name)`",
                remedy: "list them in that order, or rename them")
        }
        return named
    }

    private func addresses(_ list: Field?) -> [CIDR] {
        (list?.elements() ?? []).compactMap { field in
            guard let text = field.string() else { return nil }
            if let address = IPAddress(text) { return CIDR(host: address) }
            field.error(.invalidCIDR, "\(field.quoted) is not an address", remedy: "write one like 192.0.2.1")
            return nil
        }
    }

    private func ports(_ list: Field?) -> NamedPorts {
        var ports = NamedPorts()
        for element in list?.elements() ?? [] {
            guard let mapping = element.mapping(FieldTable(["name", "protocol", "port"])),
                let name = mapping.required("name")?.string(),
                let proto = mapping.required("protocol", remedy: "write TCP, UDP or SCTP").flatMap(
                    CalicoPortReading.number),
                let field = mapping.required("port"), let number = field.integer()
            else { continue }
            guard proto.hasPorts, let port = UInt16(exactly: number), port > 0 else {
                field.error(
                    .invalidPort, "\(proto) has no port \(number)", remedy: "write TCP, UDP or SCTP, and 1 to 65535")
                continue
            }
            ports.numbers[NamedPort(proto: proto, name: name), default: []].insert(port)
        }
        return ports
    }
}
