// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import KernelDatapath
import NetworkModel
import PolicyModel
import PolicyReading

/// The workloads that a user names: network namespaces, VM taps, bare veths; and those of other hosts, by address.
struct WorkloadsFile: Sendable {
    /// One entry, before its interface is looked up.
    struct Entry: Hashable, Sendable {
        /// Where the workload's packets pass.
        enum Place: Hashable, Sendable {
            /// A device on the host.
            case interface(String)
            /// The veths that lead into a namespace; addresses are found there.
            case namespace(String)
        }

        var name: String
        var labels: LabelSet
        var place: Place
        /// Besides those found in the namespace.
        var addresses: Set<IPAddress>
        var namedPorts = NamedPorts()
        var options: EndpointOptions = []
    }

    var entries: [Entry] = []
    /// Workloads of other hosts, by key.
    var remotes: [String: RemoteWorkload] = [:]

    init() {}

    /// Reads the file.
    ///
    /// Errors carry `file:line:column`.
    init(_ bytes: [UInt8], file: String) throws { self = try Reading(bytes, file: file).file }
}

extension WorkloadsFile {
    /// What a text says, with where it says it.
    struct Reading {
        struct Item {
            /// From 1.
            var line: Int
            /// Unlike all others; that of the workload if it is of another host.
            var key: String
            /// Among the workloads of this host; nil: of another.
            var place: Int?
        }

        private(set) var file = WorkloadsFile()
        private(set) var items: [Item] = []
        /// Nodes of the text, keys included.
        private(set) var weight = 0

        init(_ bytes: [UInt8], file: String) throws {
            guard let node = try ConfigurationNode.read(bytes, file: file) else { return }
            weight = node.weight
            var (result, items): (WorkloadsFile, [Item]) = (WorkloadsFile(), [])
            var names: Set<String> = []
            try ConfigurationReader(node: node).mapping([
                "workloads": { list in
                    for item in try list.list() {
                        let workload = try item.workload()
                        guard names.insert(workload.name).inserted else {
                            throw item.error("a second workload named \"\(workload.name)\"; names must differ")
                        }
                        // Kept for as long as the workload is known: one text for all who keep it.
                        let key = RemoteWorkload.keyPrefix(source: WorkloadsFileSource.name) + workload.name
                        var next = Item(line: item.node.location.line, key: key)
                        switch workload {
                        case .here(let entry):
                            next.place = result.entries.count
                            result.entries.append(entry)
                        case .elsewhere(let remote, _): result.remotes[key] = remote
                        }
                        items.append(next)
                    }
                }
            ])
            (self.file, self.items) = (result, items)
        }

        /// The workload of this host that an item is.
        func entry(_ item: Item) -> Entry? { item.place.map { file.entries[$0] } }
    }
}

extension ConfigurationNode {
    /// It and what is in it, as the reader of YAML counts nodes.
    fileprivate var weight: Int {
        switch content {
        case .list(let items): items.reduce(1) { $0 + $1.weight }
        case .mapping(let entries): entries.reduce(1) { $0 + 1 + $1.value.weight }
        case .null, .boolean, .integer, .string: 1
        }
    }
}

extension WorkloadsFile {
    fileprivate enum Item {
        case here(Entry)
        case elsewhere(RemoteWorkload, name: String)

        var name: String {
            switch self {
            case .here(let entry): entry.name
            case .elsewhere(_, let name): name
            }
        }
    }
}

extension ConfigurationReader {
    fileprivate func workload() throws -> WorkloadsFile.Item {
        var name = ""
        var namespace = "default"
        var labels: [Label] = []
        var place: WorkloadsFile.Entry.Place?
        var addresses: Set<IPAddress> = []
        var ports: [NamedPort: Set<UInt16>] = [:]
        var options: EndpointOptions = []
        try mapping([
            "name": { name = try $0.string() },
            "namespace": { namespace = try $0.string() },
            "labels": { labels = try $0.labels(of: LabelSource.workload) },
            "interface": { place = .interface(try $0.string()) },
            "netns": { place = .namespace(try $0.string()) },
            "addresses": { addresses = Set(try $0.list().map { try $0.address() }) },
            "ports": { for (name, port) in try $0.entries() { try port.namedPort(name, &ports) } },
            "sourceCheck": { if try !$0.boolean() { options.insert(.noSourceCheck) } },
            "linkLayer": { if try !$0.boolean() { options.insert(.noLinkLayer) } },
        ])
        guard !name.isEmpty else { throw error("a workload without `name`") }
        labels.append(Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: namespace))
        guard let place else {
            guard !addresses.isEmpty, options.isEmpty else {
                throw error(
                    "workload \"\(name)\" has neither `interface` nor `netns`: add one, or list the `addresses` of a "
                        + "workload of another host")
            }
            for address in addresses {
                guard let reason = AddressClaims.unfit(address) else { continue }
                throw error("workload \"\(name)\" cannot have \(address): it is \(reason)")
            }
            let remote = RemoteWorkload(
                labels: LabelSet(labels), addresses: addresses, namedPorts: NamedPorts(ports))
            return .elsewhere(remote, name: name)
        }
        if case .interface = place, addresses.isEmpty, !options.contains(.noSourceCheck) {
            throw error(
                "workload \"\(name)\" has no `addresses`: list what it may send from, or set `sourceCheck: false`")
        }
        return .here(
            WorkloadsFile.Entry(
                name: name, labels: LabelSet(labels), place: place, addresses: addresses,
                namedPorts: NamedPorts(ports), options: options))
    }

    private func address() throws -> IPAddress {
        let text = try string()
        guard let address = IPAddress(text) else { throw error("\"\(text)\" is not an IP address") }
        return address
    }

    /// `80` or `53/udp`.
    private func namedPort(_ name: String, _ ports: inout [NamedPort: Set<UInt16>]) throws {
        let parts = try string().split(separator: "/")
        let proto = parts.count == 2 ? IPProtocol(String(parts[1])) : .tcp
        guard let number = parts.first.flatMap({ UInt16($0) }), let proto, parts.count <= 2 else {
            throw error("not a port: write 80 or 53/udp")
        }
        ports[NamedPort(proto: proto, name: name), default: []].insert(number)
    }
}
