// SPDX-License-Identifier: Apache-2.0

import NetworkModel

/// What of a pod of a cluster matters here; the rest of the object is not kept.
///
/// A cluster has very many: each is some two hundred bytes, and what it has in common with others is not among them.
struct PodFacts: Hashable, Sendable {
    /// What only a pod's own node asks for.
    final class Own: Hashable, Sendable {
        let uid: String
        let image: String?

        init(uid: String, image: String?) {
            self.uid = uid
            self.image = image
        }

        static func == (a: Own, b: Own) -> Bool { a.uid == b.uid && a.image == b.image }

        func hash(into hasher: inout Hasher) { hasher.combine(uid) }
    }

    var template: PodTemplate
    /// Empty: not scheduled yet.
    var node: String
    /// Sorted, none twice; none while it starts, and of one that has the host's network: those are the node's.
    var addresses: [IPAddress]
    /// In microseconds since 1970.
    var createdAt: Int64
    /// Nil: it is another node's.
    var own: Own?
    var isHostNetwork = false
    /// Somebody deleted it; its processes may still run.
    var isTerminating = false
    /// None of its processes runs any more or will again: its address may be somebody else's.
    var hasEnded = false
}
