// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import PolicyModel

/// How rules select what documents about nodes and services describe: as groups with labels.
enum ClusterObjects {
    /// A node's own name, in labels of source `node`.
    static let nodeKey = "io.kubernetes.node.name"
    /// A service's own name, in labels of source `service`.
    static let serviceKey = "io.kubernetes.service.name"
    static let serviceNamespaceKey = "io.kubernetes.service.namespace"

    /// A service by its name.
    static func service(_ name: String, in namespace: String) -> LabelSelector {
        LabelSelector([
            .equal(source: LabelSource.service, key: serviceKey, value: name),
            .equal(source: LabelSource.service, key: serviceNamespaceKey, value: namespace),
        ])
    }

    /// Nodes whose labels match; nothing after an error.
    static func nodes(_ field: Field) -> PeerSelector? {
        SelectorReading(keys: .pods).read(field).map { .group(nodes($0)) }
    }

    /// Nodes whose labels match, but not the one that judges: Cilium calls that one the host.
    static func remoteNodes(_ field: Field) -> [PeerSelector] {
        nodes(field).map { [remote($0)] } ?? []
    }

    /// Addresses of nodes that documents describe; remote nodes without one have the reserved label only.
    static let everyRemoteNode = remote(.group(nodes(LabelSelector())))

    /// Where the API server answers: what stands behind the service `kubernetes` in `default`.
    static let apiServer = PeerSelector.group(service("kubernetes", in: "default"))

    private static func remote(_ nodes: PeerSelector) -> PeerSelector {
        .narrowed(nodes, PeerCondition(notLabels: [.reserved("host")]))
    }

    private static func nodes(_ selector: LabelSelector) -> LabelSelector {
        selector.ofSource(LabelSource.node)
            .requiring(LabelRequirement(source: LabelSource.node, key: nodeKey, .exists))
    }
}

extension LabelSelector {
    /// The same keys, of labels from this source.
    func ofSource(_ source: String) -> LabelSelector {
        LabelSelector(requirements.map { LabelRequirement(source: source, key: $0.key, $0.operation) })
    }
}
