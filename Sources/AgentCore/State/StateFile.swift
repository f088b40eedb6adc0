// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import IdentityAllocation
import IdentityModel
import KernelDatapath
import LinuxHost
import NetworkModel
import PolicyCompiler

/// What must survive the agent so that numbers in the kernel and in old events keep their meaning.
struct StateFile: Codable, Equatable, Sendable {
    /// A workload as it was last seen: in force from the first moment after a restart, also while its source is away.
    struct RememberedWorkload: Codable, Equatable, Sendable {
        var key: String
        var name: String
        var source: String
        var labels: [[String]]
        var addresses: [String]
        /// Those of `addresses` that nobody declared; not in files of the first agents.
        var readAddresses: [String]?
        var place: String?
        var interfaces: [Workload.Interface]
        var ports: [String: [UInt16]]
        var options: UInt16
        var details: [String: String]
    }

    /// Raised when a reader of the old layout would misread the new one.
    static let currentVersion = 1

    var version = StateFile.currentVersion
    /// Interfaces are numbered anew at each boot: workloads of another boot are forgotten.
    var bootID = ""
    var endpoints = NumberPool<String>.Snapshot(nextFresh: 0, numbers: [:])
    /// Of a file that was written before identities had a file of their own.
    var identities: IdentityAllocator.Snapshot?
    var workloads: [RememberedWorkload] = []
    /// Global audit mode as set through the API; nil: as configured.
    var isAudit: Bool?
    /// Somebody insisted on policies that close the host's SSH: a start does not keep it open then.
    var isLockoutForced: Bool?
    /// Keys of workloads in audit mode of their own.
    var auditedWorkloads: [String] = []
    /// Namespaces in audit mode; not in files of the first agents.
    var auditedNamespaces: [String]?
}

/// Reading and writing values in the state directory.
enum StateStorage {
    /// Reads a value; nil if there is no such file.
    ///
    /// A damaged file is an error with its name: starting without it would rename every number in the kernel.
    static func read<Value: Decodable>(_ type: Value.Type, from path: String) throws(AgentError) -> Value? {
        let bytes: [UInt8]
        do throws(HostError) {
            bytes = try readFile(path, bytesMax: 256 << 20)
        } catch {
            guard error.code == 2 else { throw AgentError(error.description) }
            return nil
        }
        guard let value = try? APICoding.decode(type, from: bytes) else {
            throw AgentError(
                "cannot read \(path): it is damaged or of another version; move it away to start with new numbers")
        }
        return value
    }

    /// Writes a value beside the file that it is to replace.
    static func stage(_ value: some Encodable, for path: String) throws(AgentError) {
        do {
            try AtomicFile.stage(APICoding.encode(value), for: path)
        } catch {
            throw AgentError("\(error)")
        }
    }

    static func write(bytes: [UInt8], to path: String) throws(AgentError) {
        do {
            try AtomicFile.write(bytes, to: path)
        } catch {
            throw AgentError("\(error)")
        }
    }

    static func write(_ value: some Encodable, to path: String) throws(AgentError) {
        do {
            try AtomicFile.write(APICoding.encode(value), to: path)
        } catch {
            throw AgentError("\(error)")
        }
    }
}

extension StateFile.RememberedWorkload {
    init(_ workload: Workload) {
        key = workload.key
        name = workload.name
        source = workload.source
        labels = workload.ownLabels.labels.map { [$0.source, $0.key, $0.value] }
        addresses = workload.addresses.map(\.description).sorted()
        readAddresses = workload.readAddresses.map(\.description).sorted()
        place = workload.place
        interfaces = workload.interfaces
        ports = Dictionary(
            workload.ownPorts.numbers.map { ("\($0.key.proto.rawValue)/\($0.key.name)", $0.value.sorted()) }
        ) { first, _ in first }
        options = workload.options.rawValue
        details = workload.details
    }

    var workload: Workload {
        let named = ports.compactMap { text, numbers -> (NamedPort, Set<UInt16>)? in
            let parts = text.split(separator: "/", maxSplits: 1)
            guard parts.count == 2, let proto = UInt8(parts[0]) else { return nil }
            return (NamedPort(proto: IPProtocol(rawValue: proto), name: String(parts[1])), Set(numbers))
        }
        return Workload(
            key: key, name: name, source: source,
            labels: LabelSet(labels.filter { $0.count == 3 }.map { Label(source: $0[0], key: $0[1], value: $0[2]) }),
            addresses: Set(addresses.compactMap { IPAddress($0) }),
            readAddresses: Set((readAddresses ?? []).compactMap { IPAddress($0) }), interfaces: interfaces,
            namedPorts: NamedPorts(Dictionary(named) { first, _ in first }),
            options: EndpointOptions(rawValue: options),
            details: details, place: place)
    }
}
