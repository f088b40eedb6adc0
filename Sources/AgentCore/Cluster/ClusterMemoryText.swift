// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import IdentityModel
import NetworkModel

/// Writes lines of a `ClusterMemory`, to be taken away while it goes on.
struct ClusterMemoryText {
    private static let partLength = 1 << 18

    private var bytes: [UInt8] = []
    private var labelSets: [LabelSet: Int] = [:]
    /// Few are not the same as those of others.
    private var ports: [NamedPorts: String] = [:]

    init(_ heading: String) { bytes.append(contentsOf: heading.utf8) }

    /// True if it is time to take what is written.
    var isLong: Bool { bytes.count >= Self.partLength }

    mutating func take() -> [UInt8] {
        defer { bytes = [] }
        return bytes
    }

    mutating func add(_ entry: ClusterMemory.Entry) {
        let number = labelSets[entry.labels] ?? add(entry.labels)
        bytes.append(contentsOf: "workload ".utf8)
        bytes.append(contentsOf: entry.key.utf8)
        let addresses = entry.addresses.map(\.description).joined(separator: ",")
        for field in [entry.node, "\(number)", addresses, text(entry.namedPorts)] {
            bytes.append(UInt8(ascii: "\t"))
            bytes.append(contentsOf: field.utf8)
        }
        bytes.append(UInt8(ascii: "\n"))
    }

    mutating func add(document: [UInt8], _ key: String) {
        bytes.append(contentsOf: "document \(document.count) \(key)\n".utf8)
        bytes += document
        bytes.append(UInt8(ascii: "\n"))
    }

    mutating func end() { bytes.append(contentsOf: "end\n".utf8) }

    private mutating func add(_ labels: LabelSet) -> Int {
        let number = labelSets.count
        labelSets[labels] = number
        let list = labels.labels.map { [$0.source, $0.key, $0.value] }
        bytes.append(contentsOf: "labels ".utf8)
        bytes += (try? APICoding.encode(list)) ?? Array("[]".utf8)
        bytes.append(UInt8(ascii: "\n"))
        return number
    }

    private mutating func text(_ named: NamedPorts) -> String {
        if let known = ports[named] { return known }
        let text = named.numbers.sorted { $0.key.name < $1.key.name }.flatMap { port, numbers in
            numbers.sorted().map { "\(port.proto.rawValue)/\(port.name)/\($0)" }
        }.joined(separator: ",")
        ports[named] = text
        return text
    }
}
