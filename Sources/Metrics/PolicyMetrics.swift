// SPDX-License-Identifier: Apache-2.0

extension Metric {
    package static let endpoints = Metric(
        "bulkhead_endpoints", .gauge,
        "Endpoints of this host: enforced, or pending (not attached, or with a problem).", labels: ["state"])
    package static let openEndpoints = Metric(
        "bulkhead_endpoints_open", .gauge,
        "Endpoints for which no enforced policy closes the direction: what no rule denies passes.",
        labels: ["direction"])
    package static let identities = Metric("bulkhead_identities", .gauge, "Identities in use.")
    package static let sourceWorkloads = Metric(
        "bulkhead_source_workloads", .gauge,
        "Workloads by the source that names them.", labels: ["source"])
    package static let policies = Metric(
        "bulkhead_policies", .gauge,
        "Policies in force, and texts (files or objects of a cluster) that were refused.", labels: ["state"])
    package static let rules = Metric("bulkhead_rules", .gauge, "Rules of the policies in force.")
    package static let generation = Metric("bulkhead_policy_generation", .gauge, "Generation that packets see.")
    package static let commits = Metric(
        "bulkhead_commits_total", .counter,
        "Changes brought into force, and changes refused.", labels: ["result"])
    package static let commitSeconds = Metric(
        "bulkhead_commit_duration_seconds", .histogram,
        "From noticing a change to its being in force.")
    package static let lastCommit = Metric(
        "bulkhead_last_commit_timestamp_seconds", .gauge,
        "When the last change came into force; absent before the first.")
    package static let confirmation = Metric(
        "bulkhead_confirmation_pending", .gauge,
        "1 while a change is taken back unless somebody confirms it.")
    package static let audit = Metric(
        "bulkhead_audit_mode", .gauge,
        "1 while nothing is dropped for policy on this host.")

    static let policiesGroup = MetricGroup(
        title: "Endpoints and policies", note: "",
        metrics: [
            endpoints, openEndpoints, identities, sourceWorkloads, policies, rules, generation, commits, commitSeconds,
            lastCommit, confirmation, audit,
        ])
}
