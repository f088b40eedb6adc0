// SPDX-License-Identifier: Apache-2.0

extension Metric {
    package static let clusterConnected = Metric(
        "bulkhead_cluster_connected", .gauge,
        "1 while what is known of the cluster is known to be current.", labels: ["feed"])
    package static let clusterAge = Metric(
        "bulkhead_cluster_state_age_seconds", .gauge,
        "Since when what is in force is not known to be current; 0: it is. Absent: nothing was ever "
            + "known.", labels: ["feed"])
    package static let clusterRemembered = Metric(
        "bulkhead_cluster_state_remembered", .gauge,
        "1 while what is in force is what an earlier agent knew.", labels: ["feed"])
    package static let clusterPolicies = Metric(
        "bulkhead_cluster_objects", .gauge,
        "Policies of the cluster, and objects that they refer to.", labels: ["feed"])
    package static let clusterWorkloads = Metric(
        "bulkhead_cluster_workloads", .gauge,
        "Workloads of other nodes.", labels: ["feed"])
    package static let clusterNodes = Metric(
        "bulkhead_cluster_nodes", .gauge,
        "Nodes that are registered, this one included; absent where the feed does not count them.", labels: ["feed"])
    package static let clusterProblems = Metric(
        "bulkhead_cluster_problems", .gauge,
        "What of the cluster is not heard, and why its texts are not in force.", labels: ["feed"])
    package static let cniAttachments = Metric(
        "bulkhead_cni_attachments", .gauge,
        "Interfaces that network plugins told of.")

    static let clusterGroup = MetricGroup(
        title: "Cluster and network plugins", note: "None of a node that is alone.",
        metrics: [
            clusterConnected, clusterAge, clusterRemembered, clusterPolicies, clusterWorkloads, clusterNodes,
            clusterProblems, cniAttachments,
        ])
}
