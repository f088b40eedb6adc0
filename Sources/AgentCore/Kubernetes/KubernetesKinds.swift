// SPDX-License-Identifier: Apache-2.0

import KubernetesClient

extension ResourceKind {
    /// Workloads of all nodes, a thousand to an object.
    static let workloadSlices = ResourceKind(
        group: "bulkhead.dev", version: "v1alpha1", plural: "workloadslices", kind: "WorkloadSlice", isNamespaced: false
    )

    /// Which verdicts are logged.
    static let policyLoggings = ResourceKind(
        group: "bulkhead.dev", version: "v1alpha1", plural: "policyloggings", kind: "PolicyLogging", isNamespaced: false
    )

    /// What a node says of policies.
    static let nodePolicyReports = ResourceKind(
        group: "bulkhead.dev", version: "v1alpha1", plural: "nodepolicyreports", kind: "NodePolicyReport",
        isNamespaced: false)

    /// What people write to say who may do what: nodes report on these.
    static let policies = documents.filter { !referents.contains($0.plural) }

    /// Kinds of `documents` that policies refer to.
    private static let referents: Set<String> = [
        "nodes", "services", "endpointslices", "ciliumcidrgroups", "networksets", "globalnetworksets", "tiers",
        "hostendpoints", "profiles",
    ]

    /// Whether objects have a status in which anybody may keep conditions.
    var hasConditions: Bool { ["bulkhead.dev", "cilium.io", "policy.networking.k8s.io"].contains(group) }

    /// Policies, and what they refer to; those of others' groups are there where somebody installed them.
    static let documents: [ResourceKind] =
        [.networkPolicies, .nodes, .services, .endpointSlices, .policyLoggings] + [
            ResourceKind(
                group: "cilium.io", version: "v2", plural: "ciliumnetworkpolicies", kind: "CiliumNetworkPolicy"),
            ResourceKind(
                group: "cilium.io", version: "v2", plural: "ciliumclusterwidenetworkpolicies",
                kind: "CiliumClusterwideNetworkPolicy", isNamespaced: false),
            ResourceKind(
                group: "cilium.io", version: "v2", plural: "ciliumcidrgroups", kind: "CiliumCIDRGroup",
                isNamespaced: false),
            ResourceKind(
                group: "policy.networking.k8s.io", version: "v1alpha1", plural: "adminnetworkpolicies",
                kind: "AdminNetworkPolicy", isNamespaced: false),
            ResourceKind(
                group: "policy.networking.k8s.io", version: "v1alpha1", plural: "baselineadminnetworkpolicies",
                kind: "BaselineAdminNetworkPolicy", isNamespaced: false),
            ResourceKind(
                group: "policy.networking.k8s.io", version: "v1alpha2", plural: "clusternetworkpolicies",
                kind: "ClusterNetworkPolicy", isNamespaced: false),
        ]
        + calico.map { plural, kind, isNamespaced in
            // As Calico's own API server has them; `StoredCalico` knows how they are stored without it.
            ResourceKind(
                group: "projectcalico.org", version: "v3", plural: plural, kind: kind, isNamespaced: isNamespaced)
        }

    private static let calico: [(plural: String, kind: String, isNamespaced: Bool)] = [
        ("networkpolicies", "NetworkPolicy", true), ("globalnetworkpolicies", "GlobalNetworkPolicy", false),
        ("networksets", "NetworkSet", true), ("globalnetworksets", "GlobalNetworkSet", false),
        ("stagednetworkpolicies", "StagedNetworkPolicy", true),
        ("stagedglobalnetworkpolicies", "StagedGlobalNetworkPolicy", false),
        ("stagedkubernetesnetworkpolicies", "StagedKubernetesNetworkPolicy", true), ("tiers", "Tier", false),
        ("hostendpoints", "HostEndpoint", false),
        ("profiles", "Profile", false),
    ]
}
