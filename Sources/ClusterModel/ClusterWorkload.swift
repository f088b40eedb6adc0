// SPDX-License-Identifier: Apache-2.0

package import IdentityModel
package import NetworkModel

/// A workload as its cluster knows it: what others need to have it as a peer.
///
/// Its labels are what is shared; numbers of identities are each node's own.
package struct ClusterWorkload: Hashable, Sendable {
    /// Where it runs.
    package var node: String
    /// That of its namespace included.
    package var labels: LabelSet
    /// Sorted, none twice.
    package let addresses: [IPAddress]
    package var namedPorts: NamedPorts

    package init(
        node: String, labels: LabelSet, addresses: some Sequence<IPAddress>, namedPorts: NamedPorts = NamedPorts()
    ) {
        self.node = node
        self.labels = labels
        self.addresses = IPAddress.inOrder(addresses)
        self.namedPorts = namedPorts
    }
}

extension ClusterWorkload {
    /// Of a host itself; what a workload tells has no reserved label.
    private static let hostLabel = Label(source: LabelSource.reserved, key: "remote-node")

    /// A host that is in the cluster by its own addresses.
    package init(host: String, addresses: some Sequence<IPAddress>) {
        self.init(node: host, labels: LabelSet([ClusterWorkload.hostLabel]), addresses: addresses)
    }

    /// True for a host itself: it is a node to rules, no endpoint.
    package var isHost: Bool { labels.labels.contains(ClusterWorkload.hostLabel) }
}
