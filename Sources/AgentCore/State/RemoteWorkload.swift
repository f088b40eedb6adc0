// SPDX-License-Identifier: Apache-2.0

import IdentityAllocation
package import IdentityModel
package import NetworkModel
import PolicyModel

/// A workload of another host: a peer of rules by its labels, known by its addresses.
///
/// There may be very many: it has no record of its own beyond what identities need.
package struct RemoteWorkload: Hashable, Sendable {
    package var labels: LabelSet
    /// Sorted, none twice.
    package let addresses: [IPAddress]
    package var namedPorts: NamedPorts

    package init(labels: LabelSet, addresses: some Sequence<IPAddress>, namedPorts: NamedPorts = NamedPorts()) {
        self.labels = labels
        self.addresses = IPAddress.inOrder(addresses)
        self.namedPorts = namedPorts
    }

    /// What all keys of a source begin with; no workload of this host has such a key.
    package static func keyPrefix(source: String) -> String { "remote:\(source)/" }

    /// With what documents give it.
    func granted(_ grants: EndpointGrants) -> RemoteWorkload {
        let given = grants.applied(labels: labels, ports: namedPorts, isHost: false)
        return RemoteWorkload(labels: given.labels, addresses: addresses, namedPorts: given.ports)
    }

    /// What people call it.
    static func name(ofKey key: String) -> String {
        key.split(separator: "/", maxSplits: 1).last.map(String.init) ?? key
    }
}

/// What becomes of some remote workloads, by key.
package typealias RemoteDelta = Delta<String, RemoteWorkload>

extension IdentityAllocator.Endpoint {
    init(_ remote: RemoteWorkload) {
        self.init(
            labels: remote.labels, addresses: remote.addresses, namedPorts: remote.namedPorts, isRemote: true)
    }

    /// Nil: of this host.
    var remote: RemoteWorkload? {
        isRemote ? RemoteWorkload(labels: labels, addresses: addresses, namedPorts: namedPorts) : nil
    }
}
