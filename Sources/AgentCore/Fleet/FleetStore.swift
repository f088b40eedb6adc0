// SPDX-License-Identifier: Apache-2.0

package import ClusterModel
package import ClusterSchema
package import ClusterStore
package import NetworkModel

/// What a node tells the store that its fleet shares.
package protocol FleetStore: Sendable {
    /// The host's own addresses, as other nodes are to know them.
    func publish(addresses: [IPAddress])
    /// What runs on this node from now on, by `<namespace>/<name>`.
    func publish(workloads: [String: ClusterWorkload])
    /// Puts policies into the store, by `<kind>/<namespace>/<name>`: all of them at the revision that it returns, or none.
    func apply(documents: [String: [UInt8]], author: String) async throws(StoreError) -> Int64
    /// Takes policies out of it, in the same way.
    func delete(documents: Set<String>) async throws(StoreError) -> Int64
    /// Who applied each policy of the store, by name, as far as the store was heard since the start.
    func authors() async -> [String: StoredAuthor]
    /// How many nodes are registered, this one included.
    func nodeCount() async -> Int
    /// The text of a policy in the store.
    func text(of document: String) async -> [UInt8]?
}

extension EtcdCluster: FleetStore {}
