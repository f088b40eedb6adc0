// SPDX-License-Identifier: Apache-2.0

package import ClusterModel
import IdentityModel
import NetworkModel

/// A workload as its node tells it.
package struct StoredWorkload: StoredValue, Hashable {
    package static let schemaVersion = 1
    package static let bytesMax = 64 << 10
    package static let labelsMax = 256
    package static let addressesMax = 64
    package static let portsMax = 256

    /// A port's name.
    package struct Port: Codable, Hashable, Sendable {
        package var name: String
        /// Of IP: 6 is TCP.
        package var proto: UInt8
        package var number: UInt16
    }

    package var version = StoredWorkload.schemaVersion
    /// Source, key, value.
    package var labels: [String: [String: String]]
    package var addresses: [String]
    package var ports: [Port]?

    package init(_ workload: ClusterWorkload) {
        labels = [:]
        for label in workload.labels.labels { labels[label.source, default: [:]][label.key] = label.value }
        addresses = workload.addresses.map(\.description)
        let ports = workload.namedPorts.numbers.flatMap { name, numbers in
            numbers.map { Port(name: name.name, proto: name.proto.rawValue, number: $0) }
        }
        self.ports =
            ports.isEmpty ? nil : ports.sorted { ($0.name, $0.proto, $0.number) < ($1.name, $1.proto, $1.number) }
    }

    /// The workload of a node; throws if it is none that this agent may take over.
    package func workload(node: String) throws(StoredValueError) -> ClusterWorkload {
        let labels = try labelSet()
        guard addresses.count <= StoredWorkload.addressesMax else {
            throw StoredValueError(
                "it has \(addresses.count) addresses; at most \(StoredWorkload.addressesMax) are read")
        }
        var parsed: [IPAddress] = []
        for text in addresses {
            guard let address = IPAddress(text) else { throw StoredValueError("one of its addresses is none") }
            parsed.append(address)
        }
        var numbers: [NamedPort: Set<UInt16>] = [:]
        guard ports?.count ?? 0 <= StoredWorkload.portsMax else {
            throw StoredValueError("it has more than \(StoredWorkload.portsMax) named ports")
        }
        for port in ports ?? [] {
            numbers[NamedPort(proto: IPProtocol(rawValue: port.proto), name: port.name), default: []].insert(
                port.number)
        }
        return ClusterWorkload(node: node, labels: labels, addresses: parsed, namedPorts: NamedPorts(numbers))
    }

    private func labelSet() throws(StoredValueError) -> LabelSet {
        guard labels.values.reduce(0, { $0 + $1.count }) <= StoredWorkload.labelsMax else {
            throw StoredValueError("it has more than \(StoredWorkload.labelsMax) labels")
        }
        // Who could write `reserved:host` could be anybody.
        guard labels[LabelSource.reserved] == nil else {
            throw StoredValueError("it has a reserved label; those are each node's own")
        }
        guard labels.keys.allSatisfy(LabelSource.isValid) else {
            throw StoredValueError("one of its labels has no source")
        }
        return LabelSet(
            labels.flatMap { source, pairs in pairs.map { Label(source: source, key: $0.key, value: $0.value) } })
    }
}
