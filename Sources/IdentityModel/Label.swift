// SPDX-License-Identifier: Apache-2.0

/// One `source:key=value` label: `k8s:app=web`, `container:com.example.tier=db`, `reserved:world`.
package struct Label: Hashable, Sendable {
    package let source: String
    package let key: String
    package let value: String

    package init(source: String, key: String, value: String = "") {
        self.source = source
        self.key = key
        self.value = value
    }
}

/// Where labels come from.
package enum LabelSource {
    /// Pods, and labels that stand in for them on a host without Kubernetes (namespace, name).
    package static let kubernetes = "k8s"
    /// Labels of a podman or Docker container.
    package static let container = "container"
    /// Labels given in the workloads file.
    package static let workload = "workload"
    /// Processes of the host that are judged by themselves: `process:unit=web.service`, `process:user=backup`.
    package static let process = "process"
    /// Reserved identities: `reserved:host`, `reserved:world` and so on.
    package static let reserved = "reserved"
    /// Labels of a node of the cluster (`v1` Node): of a group, never of an endpoint.
    package static let node = "node"
    /// Labels of a Kubernetes service: of a group, never of an endpoint.
    package static let service = "service"
    /// Labels of a CiliumCIDRGroup: of a group, never of an endpoint.
    package static let cidrGroup = "cidrgroup"
    /// A selector key that any source may satisfy.
    package static let any = "any"
}

/// Label keys with a meaning to the engine.
package enum WellKnownLabel {
    /// `k8s:io.kubernetes.pod.namespace`: the namespace of an endpoint; on a stand-alone host taken from the
    /// container label of the same key or `bulkhead.dev/namespace`, else `default`.
    package static let namespace = "io.kubernetes.pod.namespace"
    /// `k8s:io.kubernetes.pod.name`: of pods that nobody says more about than their name.
    package static let podName = "io.kubernetes.pod.name"
    /// Prefix of the labels that a namespace itself carries, for `namespaceSelector`:
    /// `k8s:io.cilium.k8s.namespace.labels.<key>=<value>`.
    package static let namespaceLabelPrefix = "io.cilium.k8s.namespace.labels."
    /// The namespace label that holds its name; every workload's namespace has it.
    package static let namespaceName = "kubernetes.io/metadata.name"
    /// `k8s:io.cilium.k8s.policy.serviceaccount`: the account under which a pod runs.
    package static let serviceAccount = "io.cilium.k8s.policy.serviceaccount"
    /// Of source `service`: groups that list addresses behind a service have it, those of the workloads behind it have not.
    package static let serviceAddresses = "io.kubernetes.service.addresses"
}
