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
