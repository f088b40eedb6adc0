// SPDX-License-Identifier: Apache-2.0

import ContainerRuntimes
import NetworkModel

/// What of a pod of a cluster matters here; the rest of the object is not kept.
struct PodFacts: Hashable, Sendable {
    var uid: String
    var namespace: String
    var name: String
    /// Empty: not scheduled yet.
    var node: String
    var labels: [String: String]
    var serviceAccount: String
    /// None while it starts, and of one that has the host's network: those are the node's.
    var addresses: [IPAddress]
    var namedPorts: [NamedPort]
    var image: String?
    /// RFC 3339.
    var createdAt: String
    var isHostNetwork: Bool
    /// Somebody deleted it; its processes may still run.
    var isTerminating: Bool
    /// None of its processes runs any more or will again: its address may be somebody else's.
    var hasEnded: Bool

    /// `<namespace>/<name>`.
    var key: String { "\(namespace)/\(name)" }
}
