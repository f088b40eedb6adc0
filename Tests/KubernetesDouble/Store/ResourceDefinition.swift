// SPDX-License-Identifier: Apache-2.0

/// What names a resource in URLs: its group ("" for the core) and its plural.
package struct ResourceName: Sendable, Hashable, CustomStringConvertible {
    package var group: String
    package var plural: String

    package init(group: String = "", plural: String) {
        self.group = group
        self.plural = plural
    }

    /// As `kubectl` and error messages spell it: `leases.coordination.k8s.io`, `pods`.
    package var description: String { group.isEmpty ? plural : "\(plural).\(group)" }
}

/// A resource that the double serves.
package struct ResourceDefinition: Sendable {
    package var name: ResourceName
    /// Served versions; the first is the preferred one.
    ///
    /// Objects are the same in all, but for their `apiVersion`.
    package var versions: [String]
    package var kind: String
    package var isNamespaced: Bool
    /// Whether `/status` exists, and with it the rule that the two halves are written apart.
    package var hasStatus: Bool
    package var shortNames: [String] = []
    /// Whether an update without `metadata.resourceVersion` overwrites whatever is there.
    package var allowsUnconditionalUpdate = true
    /// Custom resources keep `kind` and `apiVersion` in the items of a list; the server's own types leave them out.
    package var isCustom = false
    /// Lists that are maps for server-side apply: the member's key, with the keys that tell elements apart.
    package var mapLists: [String: [String]] = ["conditions": ["type"]]
    /// Whether names must be a single DNS label.
    package var namesAreLabels = false

    package init(
        group: String = "", _ plural: String, kind: String, versions: [String] = ["v1"], isNamespaced: Bool = true,
        hasStatus: Bool = false
    ) {
        name = ResourceName(group: group, plural: plural)
        self.versions = versions
        self.kind = kind
        self.isNamespaced = isNamespaced
        self.hasStatus = hasStatus
    }

    func apiVersion(_ version: String) -> String { name.group.isEmpty ? version : "\(name.group)/\(version)" }
}

extension ResourceDefinition {
    /// What a fresh server serves, before any custom resource.
    package static let builtin: [ResourceDefinition] = core + grouped

    private static let core: [ResourceDefinition] = [
        ResourceDefinition("namespaces", kind: "Namespace", isNamespaced: false, hasStatus: true)
            .with(shortNames: ["ns"], namesAreLabels: true),
        ResourceDefinition("nodes", kind: "Node", isNamespaced: false, hasStatus: true).with(shortNames: ["no"]),
        ResourceDefinition("pods", kind: "Pod", hasStatus: true).with(shortNames: ["po"]),
        ResourceDefinition("services", kind: "Service", hasStatus: true)
            .with(shortNames: ["svc"], namesAreLabels: true),
        ResourceDefinition("endpoints", kind: "Endpoints").with(shortNames: ["ep"]),
        ResourceDefinition("serviceaccounts", kind: "ServiceAccount").with(shortNames: ["sa"]),
        ResourceDefinition("configmaps", kind: "ConfigMap").with(shortNames: ["cm"]),
        ResourceDefinition("secrets", kind: "Secret"),
        ResourceDefinition("events", kind: "Event").with(shortNames: ["ev"]),
    ]

    private static let grouped: [ResourceDefinition] = [
        ResourceDefinition(group: "apps", "deployments", kind: "Deployment", hasStatus: true)
            .with(shortNames: ["deploy"]),
        ResourceDefinition(group: "apps", "replicasets", kind: "ReplicaSet", hasStatus: true).with(shortNames: ["rs"]),
        ResourceDefinition(group: "apps", "daemonsets", kind: "DaemonSet", hasStatus: true).with(shortNames: ["ds"]),
        ResourceDefinition(group: "apps", "statefulsets", kind: "StatefulSet", hasStatus: true)
            .with(shortNames: ["sts"]),
        ResourceDefinition(group: "batch", "jobs", kind: "Job", hasStatus: true),
        ResourceDefinition(group: "networking.k8s.io", "networkpolicies", kind: "NetworkPolicy")
            .with(shortNames: ["netpol"]),
        ResourceDefinition(group: "discovery.k8s.io", "endpointslices", kind: "EndpointSlice"),
        ResourceDefinition(group: "coordination.k8s.io", "leases", kind: "Lease").with(conditionalUpdates: true),
        ResourceDefinition(group: "events.k8s.io", "events", kind: "Event").with(shortNames: ["ev"]),
        ResourceDefinition(
            group: "apiextensions.k8s.io", "customresourcedefinitions", kind: "CustomResourceDefinition",
            isNamespaced: false, hasStatus: true
        ).with(shortNames: ["crd", "crds"], conditionalUpdates: true),
    ]

    private func with(
        shortNames: [String] = [], namesAreLabels: Bool = false, conditionalUpdates: Bool = false
    ) -> ResourceDefinition {
        var copy = self
        copy.shortNames = shortNames
        copy.namesAreLabels = namesAreLabels
        copy.allowsUnconditionalUpdate = !conditionalUpdates
        return copy
    }
}
