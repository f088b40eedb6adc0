// SPDX-License-Identifier: Apache-2.0

package import IdentityModel
package import NetworkModel

/// A pod of this node as its cluster describes it.
package struct PodRecord: Hashable, Sendable {
    package var uid: String
    package var namespace: String
    package var name: String
    /// What its identity is made from: its own, those of its namespace, its service account's.
    package var labels: [Label]
    /// As its status has them; none while it starts.
    package var addresses: [IPAddress]
    package var namedPorts: [NamedPort]
    package var image: String?
    /// It has the host's network: its packets are the host's.
    package var isHostNetwork: Bool

    /// Makes a record from its parts.
    package init(
        uid: String, namespace: String, name: String, labels: [Label], addresses: [IPAddress] = [],
        namedPorts: [NamedPort] = [], image: String? = nil, isHostNetwork: Bool = false
    ) {
        self.uid = uid
        self.namespace = namespace
        self.name = name
        self.labels = labels
        self.addresses = addresses
        self.namedPorts = namedPorts
        self.image = image
        self.isHostNetwork = isHostNetwork
    }
}
