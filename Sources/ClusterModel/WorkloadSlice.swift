// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel

/// Workloads of a cluster in few words: a label set stands once, however many have it.
///
/// A cluster of 150 000 pods is 150 of these: nodes watch them instead of every pod.
package struct WorkloadSlice: Hashable, Sendable {
    /// So many workloads a slice holds at most.
    package static let workloadsMax = 1000

    /// Name of a slice without workloads that is there once all others are: before, slices may be missing.
    package static let marker = "complete"

    /// By `<namespace>/<name>`.
    package var workloads: [String: ClusterWorkload]

    package init(_ workloads: [String: ClusterWorkload] = [:]) { self.workloads = workloads }
}

/// A slice as it is written: plain values, whose form is an interface between versions.
package struct WorkloadSliceRecord: Codable, Hashable, Sendable {
    package struct Entry: Codable, Hashable, Sendable {
        /// `<namespace>/<name>`.
        package var name: String
        package var node: String
        /// Place in `labelSets`.
        package var labels: Int
        package var addresses: [String]
        /// `<protocol>/<name>/<number>`; nil: none.
        package var ports: [String]?
    }

    /// Written and read by this program: another one means something that this one would not do.
    package static let schemaVersion = 1

    package var version = WorkloadSliceRecord.schemaVersion
    /// Each sorted, as `source:key=value`.
    package var labelSets: [[String]]
    /// By name.
    package var workloads: [Entry]

    package init(labelSets: [[String]] = [], workloads: [Entry] = []) {
        self.labelSets = labelSets
        self.workloads = workloads
    }
}

/// What a slice of any version says of itself.
package struct WorkloadSliceHead: Decodable, Sendable {
    /// Nil: it says none.
    package var version: Int?

    /// Throws what is to be done if it is of another version than this program reads.
    package func check() throws(WorkloadSliceError) {
        guard version != WorkloadSliceRecord.schemaVersion else { return }
        guard let version else { throw WorkloadSliceError(description: "it says no version") }
        throw WorkloadSliceError(
            description: "it is of version \(version), this agent reads version \(WorkloadSliceRecord.schemaVersion): "
                + "update this agent")
    }
}

/// Why a slice is not taken.
package struct WorkloadSliceError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String
}

extension WorkloadSliceRecord {
    /// The same slice is always the same text.
    package init(_ slice: WorkloadSlice) {
        var numbers: [LabelSet: Int] = [:]
        var sets: [[String]] = []
        var entries: [Entry] = []
        for (name, workload) in slice.workloads.sorted(by: { $0.key < $1.key }) {
            let number: Int
            if let known = numbers[workload.labels] {
                number = known
            } else {
                number = sets.count
                numbers[workload.labels] = number
                sets.append(workload.labels.labels.map(\.description))
            }
            let ports = workload.namedPorts.numbers.flatMap { port, numbers in
                numbers.map { "\(port.proto)/\(port.name)/\($0)" }
            }
            entries.append(
                Entry(
                    name: name, node: workload.node, labels: number, addresses: workload.addresses.map(\.description),
                    ports: ports.isEmpty ? nil : ports.sorted()))
        }
        self.init(labelSets: sets, workloads: entries)
    }

    /// The slice, whole; throws at the first thing that is wrong in it.
    package func slice() throws(WorkloadSliceError) -> WorkloadSlice {
        guard workloads.count <= WorkloadSlice.workloadsMax else {
            throw WorkloadSliceError(
                description: "\(workloads.count) workloads, \(WorkloadSlice.workloadsMax) are allowed")
        }
        var sets: [LabelSet] = []
        for texts in labelSets {
            var labels: [Label] = []
            for text in texts {
                guard let label = try? Label.parse(text), text.utf8.count <= 1024 else {
                    throw WorkloadSliceError(description: "\"\(text.prefix(80))\" is no label")
                }
                labels.append(label)
            }
            sets.append(LabelSet(labels))
        }
        var slice = WorkloadSlice()
        for entry in workloads {
            guard sets.indices.contains(entry.labels) else {
                throw WorkloadSliceError(description: "\(entry.name): there is no label set \(entry.labels)")
            }
            let addresses = try entry.addresses.map { text throws(WorkloadSliceError) in
                guard let address = IPAddress(text) else {
                    throw WorkloadSliceError(description: "\(entry.name): \"\(text.prefix(80))\" is no address")
                }
                return address
            }
            slice.workloads[entry.name] = ClusterWorkload(
                node: entry.node, labels: sets[entry.labels], addresses: addresses,
                namedPorts: try namedPorts(entry))
        }
        return slice
    }

    private func namedPorts(_ entry: Entry) throws(WorkloadSliceError) -> NamedPorts {
        var ports: [NamedPort: Set<UInt16>] = [:]
        for text in entry.ports ?? [] {
            let parts = text.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 3, let proto = IPProtocol(String(parts[0])), let number = UInt16(parts[2]) else {
                throw WorkloadSliceError(description: "\(entry.name): \"\(text.prefix(80))\" is no port")
            }
            ports[NamedPort(proto: proto, name: String(parts[1])), default: []].insert(number)
        }
        return NamedPorts(ports)
    }
}
