// SPDX-License-Identifier: Apache-2.0

import IdentityModel

/// What pods that were made from one template have in common, and share.
final class PodTemplate: Hashable, Sendable {
    let namespace: String
    /// The pod's own labels that make up its identity, sorted.
    let labels: [Label]
    let serviceAccount: String
    let namedPorts: NamedPorts

    init(namespace: String, labels: [Label], serviceAccount: String, namedPorts: NamedPorts) {
        self.namespace = namespace
        self.labels = labels
        self.serviceAccount = serviceAccount
        self.namedPorts = namedPorts
    }

    static func == (a: PodTemplate, b: PodTemplate) -> Bool {
        a === b
            || a.namespace == b.namespace && a.labels == b.labels && a.serviceAccount == b.serviceAccount
                && a.namedPorts == b.namedPorts
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(namespace)
        hasher.combine(labels)
    }
}
