// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel

/// Reads the made-up cluster of a policy test.
struct PolicyTestWorkloadReading {
    /// Labels of each namespace that the test describes.
    let namespaces: [String: [Label]]

    private static let fields = FieldTable([
        "namespace", "name", "labels", "addresses", "node", "hostNetwork", "ports",
    ])

    static func namespaces(_ field: Field?) -> [String: [Label]] {
        var result: [String: [Label]] = [:]
        for element in field?.elements() ?? [] {
            guard let mapping = element.mapping(FieldTable(["name", "labels"])),
                let nameField = mapping.required("name"), let name = nameField.string()
            else { continue }
            if result[name] != nil {
                nameField.error(
                    .invalidTest, "namespace \(nameField.quoted) is described twice", remedy: "merge the two")
            }
            result[name] = labels(mapping["labels"], prefix: WellKnownLabel.namespaceLabelPrefix)
        }
        return result
    }

    /// Names with the addresses that DNS gives for them.
    static func names(_ field: Field?) -> [DomainName: [IPAddress]] {
        var result: [DomainName: [IPAddress]] = [:]
        for element in field?.elements() ?? [] {
            guard let mapping = element.mapping(FieldTable(["name", "addresses"])),
                let nameField = mapping.required("name"), let name = NameReading.name(nameField)?.name
            else { continue }
            let addresses = (mapping.required("addresses")?.elements() ?? []).compactMap(address)
            result[name, default: []] += addresses
        }
        return result
    }

    func read(_ field: Field?) -> [PolicyTest.Workload] {
        var seen: [String: SourceLocation] = [:]
        var owners: [IPAddress: String] = [:]
        return (field?.elements() ?? []).compactMap { element in
            guard let workload = workload(element) else { return nil }
            if let first = seen.updateValue(element.location, forKey: workload.key) {
                element.error(
                    .invalidTest, "workload `\(workload.key)` is described twice, first at \(first.text)",
                    remedy: "give each its own name")
            }
            // What runs in a node's network has the node's addresses.
            let owner = workload.isHostNetwork ? "node \(workload.node)" : workload.key
            for address in workload.addresses {
                guard let other = owners.updateValue(owner, forKey: address),
                    other != owner || !workload.isHostNetwork
                else { continue }
                element.error(
                    .invalidTest, "address \(address) is also that of `\(other)`", remedy: "give each its own address")
            }
            return workload
        }
    }

    private func workload(_ field: Field) -> PolicyTest.Workload? {
        guard let mapping = field.mapping(PolicyTestWorkloadReading.fields),
            let name = mapping.required("name")?.string()
        else { return nil }
        let namespace =
            mapping.has("namespace") ? mapping["namespace"]?.string() : field.context.options.defaultNamespace
        guard let namespace else { return nil }
        let isHostNetwork = mapping["hostNetwork"]?.boolean() ?? false
        let addresses = (mapping.required("addresses")?.elements() ?? []).compactMap(PolicyTestWorkloadReading.address)
        if addresses.isEmpty, mapping.has("addresses") {
            field.error(.invalidTest, "workload \(name) has no address", remedy: "give it at least one")
        }
        var labels = PolicyTestWorkloadReading.labels(mapping["labels"], prefix: "")
        labels.append(Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: namespace))
        labels += namespaces[namespace] ?? []
        return PolicyTest.Workload(
            key: "\(namespace)/\(name)", labels: LabelSet(labels), addresses: addresses,
            node: mapping["node"]?.string() ?? "", isHostNetwork: isHostNetwork, ports: ports(mapping["ports"]))
    }

    private static func address(_ field: Field) -> IPAddress? {
        guard let text = field.string() else { return nil }
        guard let address = IPAddress(text) else {
            field.error(.invalidCIDR, "\(field.quoted) is not an address", remedy: "write one like 10.1.0.5 or fd00::5")
            return nil
        }
        return address
    }

    private func ports(_ field: Field?) -> NamedPorts {
        var numbers: [NamedPort: Set<UInt16>] = [:]
        for element in field?.elements() ?? [] {
            guard let mapping = element.mapping(FieldTable(["name", "port", "protocol"])),
                let name = mapping.required("name")?.string(),
                let number = mapping.required("port").flatMap({ PolicyTestProbeReading.portNumber($0) })
            else { continue }
            let proto = mapping["protocol"].flatMap(PolicyTestProbeReading.proto) ?? .tcp
            numbers[NamedPort(proto: proto, name: name), default: []].insert(number)
        }
        return NamedPorts(numbers)
    }

    private static func labels(_ field: Field?, prefix: String) -> [Label] {
        (field?.entries() ?? []).compactMap { entry in
            // Labels of a namespace have no source; `container:app` is a container's own label.
            let (source, key) = prefix.isEmpty ? LabelSource.split(entry.key) : (nil, entry.key)
            return entry.value.string().map {
                Label(source: source ?? LabelSource.kubernetes, key: prefix + key, value: $0)
            }
        }
    }
}
