// SPDX-License-Identifier: Apache-2.0

extension Metric {
    package static let buildInfo = Metric(
        "bulkhead_build_info", .gauge,
        "1; version and version of the kernel's tables.", labels: ["version", "abi"])
    package static let ready = Metric(
        "bulkhead_ready", .gauge,
        "1 when the first complete state is in force and the first endpoints are attached.")
    package static let problems = Metric(
        "bulkhead_problems", .gauge,
        "What status names as not in force, with its remedy.")
    package static let dryRun = Metric("bulkhead_dry_run", .gauge, "1 if the agent leaves the kernel alone.")
    package static let cpuSeconds = Metric(
        "process_cpu_seconds_total", .counter,
        "CPU time of the agent, user and system.")
    package static let residentBytes = Metric(
        "process_resident_memory_bytes", .gauge,
        "Resident memory of the agent.")
    package static let virtualBytes = Metric("process_virtual_memory_bytes", .gauge, "Virtual memory of the agent.")
    package static let openFiles = Metric("process_open_fds", .gauge, "Open file descriptors of the agent.")
    package static let maxFiles = Metric("process_max_fds", .gauge, "File descriptors that the agent may open.")
    package static let startTime = Metric(
        "process_start_time_seconds", .gauge,
        "When the agent started, in seconds since 1970.")
    package static let droppedSamples = Metric(
        "bulkhead_metrics_dropped_samples_total", .counter,
        "Samples told only as part of the sum named other, for their family had too many.", labels: ["family"])

    static let agentGroup = MetricGroup(
        title: "Agent", note: "",
        metrics: [
            buildInfo, ready, problems, dryRun, cpuSeconds, residentBytes, virtualBytes, openFiles, maxFiles,
            startTime, droppedSamples,
        ])
}
