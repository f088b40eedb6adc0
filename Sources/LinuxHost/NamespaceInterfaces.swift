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
}

extension NamespaceThread {
    /// Reads the interfaces of each namespace and matches them with the host's: 500 in a few dozen milliseconds.
    /// - Parameter host: the namespace whose interface numbers `hostIndex` holds.
    package func interfaces(
        of namespaces: [NetworkNamespace], host: NetworkNamespace = .own
    ) async -> [Result<NamespaceInterfaces, any Error>] {
        await run(inEach: namespaces) { try NamespaceInterfaces.readCurrent(host: host) }
    }

    /// Reads the interfaces of one namespace.
    /// - Parameter host: the namespace whose interface numbers `hostIndex` holds.
    package func interfaces(
        of namespace: NetworkNamespace, host: NetworkNamespace = .own
    ) async throws -> NamespaceInterfaces {
        try await run(in: namespace) { try NamespaceInterfaces.readCurrent(host: host) }
    }
}

extension NamespaceInterfaces {
    /// Reads the namespace the calling thread is in.
    fileprivate static func readCurrent(host: NetworkNamespace) throws(HostError) -> NamespaceInterfaces {
        let inode = try NetworkNamespace.path("/proc/thread-self/ns/net").inode()
        let host = try host.open()
        let session = try RouteSession()
        let snapshot = try session.snapshot()
        // Asked after the links: listing them is what makes the kernel number the namespaces they lead to.
        let hostID = try session.namespaceID(of: host.rawValue)
        let interfaces = snapshot.links.filter { !$0.isLoopback }.map { link in
            NamespaceInterface(
                link: link, addresses: snapshot.addresses(ofLink: link.index), hostIndex: link.peer(inNamespace: hostID)
            )
        }
        return NamespaceInterfaces(inode: inode, interfaces: interfaces)
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
