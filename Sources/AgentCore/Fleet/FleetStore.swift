// SPDX-License-Identifier: Apache-2.0

package import ClusterModel
package import ClusterStore

/// What a node tells the store that its fleet shares.
package protocol FleetStore: Sendable {
    /// What runs on this node from now on, by `<namespace>/<name>`.
    func publish(workloads: [String: ClusterWorkload])
}

extension EtcdCluster: FleetStore {}
