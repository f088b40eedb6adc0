// SPDX-License-Identifier: Apache-2.0

/// A kind of objects, and where the API has it.
package struct ResourceKind: Hashable, Sendable, CustomStringConvertible {
    /// Empty: the core API.
    package let group: String
    package let version: String
    package let plural: String
    package let kind: String
    package let isNamespaced: Bool

    package init(group: String = "", version: String, plural: String, kind: String, isNamespaced: Bool = true) {
        self.group = group
        self.version = version
        self.plural = plural
        self.kind = kind
        self.isNamespaced = isNamespaced
    }

    /// As in `apiVersion` of an object.
    package var apiVersion: String { group.isEmpty ? version : "\(group)/\(version)" }

    /// `networkpolicies.networking.k8s.io`, as `kubectl` names it; core kinds by their plural alone.
    package var description: String { group.isEmpty ? plural : "\(plural).\(group)" }

    /// The path of a collection, or of one object in it; without a namespace that of all namespaces.
    package func path(namespace: String? = nil, name: String? = nil, subresource: String? = nil) -> String {
        var path = group.isEmpty ? "/api/\(version)" : "/apis/\(group)/\(version)"
        if let namespace, !namespace.isEmpty { path += "/namespaces/\(namespace)" }
        path += "/\(plural)"
        if let name { path += "/\(name)" }
        if let subresource { path += "/\(subresource)" }
        return path
    }
}

extension ResourceKind {
    package static let pods = ResourceKind(version: "v1", plural: "pods", kind: "Pod")
    package static let namespaces = ResourceKind(
        version: "v1", plural: "namespaces", kind: "Namespace", isNamespaced: false)
    package static let nodes = ResourceKind(version: "v1", plural: "nodes", kind: "Node", isNamespaced: false)
    package static let services = ResourceKind(version: "v1", plural: "services", kind: "Service")
    package static let endpointSlices = ResourceKind(
        group: "discovery.k8s.io", version: "v1", plural: "endpointslices", kind: "EndpointSlice")
    package static let networkPolicies = ResourceKind(
        group: "networking.k8s.io", version: "v1", plural: "networkpolicies", kind: "NetworkPolicy")
    package static let leases = ResourceKind(
        group: "coordination.k8s.io", version: "v1", plural: "leases", kind: "Lease")
    package static let events = ResourceKind(group: "events.k8s.io", version: "v1", plural: "events", kind: "Event")
}
