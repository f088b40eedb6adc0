// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// A device inside a workload's namespace, and where its other end is.
package struct NamespaceInterface: Hashable, Sendable {
    package let link: NetworkLink
    /// Its addresses, link-local ones included.
    package let addresses: [InterfaceAddress]
    /// Index, in the host's namespace, of the device's other end; nil if the other end is elsewhere or there
    /// is none (macvlan, tun, slirp).
    package let hostIndex: Int32?

    /// The addresses that peers use: without link-local ones.
    package var routableAddresses: [IPAddress] {
        addresses.filter { !$0.isLinkScoped }.map(\.address)
    }
}

/// The interfaces of a workload's network namespace.
package struct NamespaceInterfaces: Hashable, Sendable {
    /// The inode of the namespace.
    package let inode: UInt64
    /// All but loopback.
    package let interfaces: [NamespaceInterface]
    /// Why this is not all, or not of one moment; nil if it is.
    package let problem: String?

    /// Makes it from its parts.
    package init(inode: UInt64, interfaces: [NamespaceInterface], problem: String? = nil) {
        self.inode = inode
        self.interfaces = interfaces
        self.problem = problem
    }
}

extension NamespaceThread {
    /// Reads the interfaces of each namespace and matches them with the host's: 500 in a few dozen milliseconds.
    ///
    /// Who is root inside can keep a namespace from being read. Then there is as much as could be read, with a `problem`,
    /// and the links that lead inside as the host sees them.
    /// - Parameter host: the namespace whose interface numbers `hostIndex` holds.
    package func interfaces(
        of namespaces: [NetworkNamespace], host: NetworkNamespace = .own
    ) async -> [Result<NamespaceInterfaces, any Error>] {
        var results = await run(inEach: namespaces) { try NamespaceInterfaces.readCurrent(host: host) }
        for (position, result) in zip(results.indices, results) where (try? result.get().problem == nil) != true {
            let namespace = namespaces[position]
            let seen = try? await run(in: host) { try NamespaceInterfaces.readFromOutside(namespace) }
            if let seen { results[position] = .success(NamespaceInterfaces.merge(result, seen)) }
        }
        return results
    }

    /// Reads the interfaces of one namespace.
    /// - Parameter host: the namespace whose interface numbers `hostIndex` holds.
    package func interfaces(
        of namespace: NetworkNamespace, host: NetworkNamespace = .own
    ) async throws -> NamespaceInterfaces {
        guard let result = await interfaces(of: [namespace], host: host).first else { throw CancellationError() }
        return try result.get()
    }
}

extension NamespaceInterfaces {
    /// Reads the namespace the calling thread is in.
    fileprivate static func readCurrent(host: NetworkNamespace) throws(HostError) -> NamespaceInterfaces {
        let inode = try NetworkNamespace.path("/proc/thread-self/ns/net").inode()
        let host = try host.open()
        let session = try RouteSession()
        let (snapshot, isConsistent) = try session.snapshotAnyway()
        // Asked after the links: listing them is what makes the kernel number the namespaces they lead to.
        let hostID = try session.namespaceID(of: host.rawValue)
        // Grouped once: who is root inside decides how many there are.
        let addresses = Dictionary(grouping: snapshot.addresses, by: \.linkIndex)
        let interfaces = snapshot.links.filter { !$0.isLoopback }.map { link in
            NamespaceInterface(
                link: link, addresses: addresses[link.index] ?? [], hostIndex: link.peer(inNamespace: hostID))
        }
        return NamespaceInterfaces(
            inode: inode, interfaces: interfaces,
            problem: isConsistent
                ? nil : "links or addresses inside change faster than they can be read: stop what changes them")
    }

    /// The host's links that lead into a namespace, without anything that is only known inside.
    ///
    /// On a thread in the host's namespace.
    fileprivate static func readFromOutside(_ namespace: NetworkNamespace) throws(HostError) -> NamespaceInterfaces {
        let inode = try namespace.inode()
        let target = try namespace.open()
        let session = try RouteSession()
        let links = try session.snapshotAnyway().snapshot.links
        let number = try session.namespaceID(of: target.rawValue)
        let interfaces = links.compactMap { link -> NamespaceInterface? in
            guard let inside = link.peer(inNamespace: number) else { return nil }
            return NamespaceInterface(
                link: NetworkLink(index: inside, name: "index \(inside)", kind: "veth"), addresses: [],
                hostIndex: link.index)
        }
        return NamespaceInterfaces(inode: inode, interfaces: interfaces)
    }

    /// What was read inside, completed by what is seen from the host.
    fileprivate static func merge(
        _ inside: Result<NamespaceInterfaces, any Error>, _ outside: NamespaceInterfaces
    ) -> NamespaceInterfaces {
        switch inside {
        case .success(let read):
            let known = Set(read.interfaces.compactMap(\.hostIndex))
            let missing = outside.interfaces.filter { !known.contains($0.hostIndex ?? 0) }
            return NamespaceInterfaces(
                inode: read.inode, interfaces: read.interfaces + missing, problem: read.problem)
        case .failure(let error):
            return NamespaceInterfaces(inode: outside.inode, interfaces: outside.interfaces, problem: "\(error)")
        }
    }
}

extension NetworkLink {
    /// Index of the other end if it is in the namespace with that number, as seen from this link's namespace.
    ///
    /// Only a veth's other end carries the same packets; what lies under a macvlan or VLAN carries everybody's.
    func peer(inNamespace namespaceID: Int32?) -> Int32? {
        guard kind == "veth", let namespaceID, peerNamespaceID == namespaceID else { return nil }
        return peerIndex
    }
}
