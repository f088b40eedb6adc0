// SPDX-License-Identifier: Apache-2.0

import LinuxHost
import NetworkModel

/// Turns entries of the workloads file into workloads: finds their devices, namespaces and addresses.
///
/// A namespace is read once and then only when it changed.
struct WorkloadsFileResolver {
    let thread: NamespaceThread
    let watcher: NamespaceWatcher
    /// What was read of each namespace, by inode.
    ///
    /// The watcher keeps a namespace, and so its inode, alive.
    private var known: [UInt64: NamespaceInterfaces] = [:]
    /// True if a name can change its meaning without a notification.
    private(set) var needsPolling = false

    init(thread: NamespaceThread, watcher: NamespaceWatcher) {
        self.thread = thread
        self.watcher = watcher
    }

    /// Reads these namespaces anew when asked next; nil: all.
    mutating func forget(_ inodes: [UInt64]?) {
        for inode in inodes ?? Array(known.keys) { known[inode] = nil }
    }

    /// The workloads of the file as they are now.
    mutating func workloads(_ file: WorkloadsFile) async -> [Workload] {
        let found = await findNamespaces(file)
        let links = KnownLinks((try? RouteSession().links()) ?? [])
        return file.entries.map { entry in
            var workload = Workload(
                key: "workload:\(entry.name)", name: entry.name, source: WorkloadsFileSource.name,
                labels: entry.labels, addresses: entry.addresses, interfaces: [], namedPorts: entry.namedPorts,
                options: entry.options)
            switch entry.place {
            case .interface(let device): place(&workload, on: device, links)
            case .namespace(let text):
                let namespace = Self.namespace(text)
                place(&workload, in: namespace, found[namespace], links)
            }
            return workload
        }
    }

    /// Reads what is named and not known, and watches it from now on.
    private mutating func findNamespaces(
        _ file: WorkloadsFile
    ) async -> [NetworkNamespace: Result<NamespaceInterfaces, any Error>] {
        let named = Set(
            file.entries.compactMap { entry -> NetworkNamespace? in
                if case .namespace(let text) = entry.place { Self.namespace(text) } else { nil }
            })
        needsPolling = named.contains { !$0.isNamedByMount }
        var result: [NetworkNamespace: Result<NamespaceInterfaces, any Error>] = [:]
        var ways: [UInt64: [NetworkNamespace]] = [:]
        for namespace in named {
            do {
                ways[try namespace.inode(), default: []].append(namespace)
            } catch {
                result[namespace] = .failure(error)
            }
        }
        // Watched before it is read, so that nothing falls between.
        watcher.watch(ways)
        known = known.filter { ways[$0.key] != nil }
        let unread = ways.filter { known[$0.key] == nil }.compactMap(\.value.first)
        for (namespace, read) in zip(unread, await thread.interfaces(of: unread)) {
            switch read {
            // A name may have been given to another namespace meanwhile: then the next round reads that.
            case .success(let interfaces): known[interfaces.inode] = interfaces
            case .failure(let error): result[namespace] = .failure(error)
            }
        }
        for (inode, namespaces) in ways {
            guard let interfaces = known[inode] else { continue }
            for namespace in namespaces { result[namespace] = .success(interfaces) }
        }
        return result
    }

    private func place(_ workload: inout Workload, on device: String, _ links: KnownLinks) {
        workload.details["interface"] = device
        guard let link = links.byName[device] else {
            workload.problem = "no device \(device) on this host: create it, or correct the workloads file"
            return
        }
        workload.interfaces = [.init(name: device, index: UInt32(link.index))]
    }

    private func place(
        _ workload: inout Workload, in namespace: NetworkNamespace, _ result: Result<NamespaceInterfaces, any Error>?,
        _ links: KnownLinks
    ) {
        workload.details["netns"] = namespace.path
        workload.place = namespace.path
        switch result {
        case nil:
            workload.problem = "network namespace \(namespace.path) changed while it was read; trying again"
            workload.readProblem = workload.problem
        case .failure(let error):
            workload.problem = "\(error)"
            workload.readProblem = workload.problem
        case .success(let inside):
            workload.readProblem = inside.problem
            let declared = workload.addresses
            for interface in inside.interfaces {
                // Link-local addresses are the workload's own too: neighbour discovery needs them.
                workload.readAddresses.formUnion(interface.addresses.map(\.address))
                guard let index = interface.hostIndex else { continue }
                let name = links.byIndex[Int(index)]?.name ?? "index \(index)"
                workload.interfaces.append(.init(name: name, index: UInt32(index)))
            }
            workload.readAddresses.subtract(declared)
            workload.addresses = declared.union(workload.readAddresses)
            if workload.interfaces.isEmpty {
                workload.problem =
                    inside.problem
                    ?? "no veth of \(namespace.path) leads to this host: connect it, or name its device"
            }
        }
    }

    private static func namespace(_ text: String) -> NetworkNamespace {
        .path(text.contains("/") ? text : "/run/netns/\(text)")
    }
}

/// The host's links, for many look-ups.
private struct KnownLinks {
    let byName: [String: NetworkLink]
    let byIndex: [Int: NetworkLink]

    init(_ links: [NetworkLink]) {
        byName = Dictionary(links.map { ($0.name, $0) }) { first, _ in first }
        byIndex = Dictionary(links.map { (Int($0.index), $0) }) { first, _ in first }
    }
}
