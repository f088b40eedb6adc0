// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import ContainerRuntimes
import IdentityModel
import KubernetesClient
import LinuxHost

/// Whether, and how, this node belongs to a Kubernetes cluster.
struct KubernetesSettings: Hashable, Sendable {
    var isEnabled = false
    /// Empty: the agent runs in a pod, and uses its account.
    var kubeconfig = ""
    /// Below which the kubelet makes the cgroups of pods; empty: the hierarchy's root.
    var cgroupRoot = ""
    /// Whether workloads of other nodes are read from slices, which a controller writes, and not from every pod.
    var workloadSlices = SliceChoice.auto
    /// Of pods: `auto` takes slices in clusters that have more.
    var workloadSlicesAbove = 5000
    /// Whether this node tells the cluster how policies fare here.
    var reportsPolicies = true
    /// Whether pods get Events when their traffic is denied.
    var writesDeniedEvents = true

    enum SliceChoice: String, CaseIterable, Sendable { case auto, always, never }

    var sliceMode: SliceMode {
        switch workloadSlices {
        case .auto: .above(pods: workloadSlicesAbove)
        case .always: .always
        case .never: .never
        }
    }

    func configuration() throws(KubernetesError) -> KubernetesConfiguration {
        guard kubeconfig.isEmpty else { return try .kubeconfig(kubeconfig) }
        return try .inCluster(environment: { environmentValue($0) })
    }
}

extension ConfigurationReader {
    func kubernetes() throws -> KubernetesSettings {
        var settings = KubernetesSettings()
        settings.isEnabled = true
        try mapping([
            "enabled": { settings.isEnabled = try $0.boolean() },
            "kubeconfig": { settings.kubeconfig = try $0.string() },
            "cgroupRoot": { settings.cgroupRoot = try $0.string() },
            "workloadSlices": { settings.workloadSlices = try $0.choice(KubernetesSettings.SliceChoice.self) },
            "workloadSlicesAbove": { settings.workloadSlicesAbove = try $0.integer(0...10_000_000) },
            "policyReports": { settings.reportsPolicies = try $0.boolean() },
            "deniedEvents": { settings.writesDeniedEvents = try $0.boolean() },
        ])
        return settings
    }
}

/// Brings a cluster's policies, workloads and this node's pods to the agent.
struct KubernetesMembership: Sendable {
    let settings: KubernetesSettings
    let memory: ClusterMemory
    let filter: LabelFilter
    let state: AgentState

    /// What was known before the start comes into force with the first commit.
    ///
    /// Before the agent adopts.
    func join() async -> RememberedCluster { await state.join(PodSource.name, memory) }

    /// Runs until cancelled; throws if the configuration cannot be read.
    func run(_ remembered: RememberedCluster) async throws {
        let configuration = try settings.configuration()
        let root = settings.cgroupRoot.isEmpty ? CgroupTree.mounted?.root : settings.cgroupRoot
        let board = PodBoard()
        await state.use(board)
        let feed = KubernetesFeed(
            client: KubernetesClient(configuration), node: state.node, filter: filter,
            remembered: remembered, board: board, slices: settings.sliceMode)
        let pods = ContainerSource(
            source: PodSource(board: board, cgroupRoot: root), location: configuration.server, filter: filter,
            state: state)
        await state.clearProblem("kubernetes")
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await ClusterSource(feed: feed, memory: memory, state: state, areWorkloadsInForce: true).run()
            }
            group.addTask { await pods.run() }
            group.addTask { await tell(configuration, board) }
        }
    }

    /// Tells the cluster what it wants to know of this node, until cancelled.
    private func tell(_ configuration: KubernetesConfiguration, _ pods: PodBoard) async {
        guard settings.reportsPolicies || settings.writesDeniedEvents else { return }
        let client = KubernetesClient(configuration)
        let board = TellingBoard()
        await state.use(board)
        await withTaskGroup(of: Void.self) { group in
            if settings.reportsPolicies {
                let reports = NodeReportWriter(
                    client: client, state: state, node: state.node, board: board, logger: state.logger)
                group.addTask { await reports.run() }
            }
            if settings.writesDeniedEvents {
                let events = DeniedEventWriter(
                    client: client, state: state, node: state.node, pods: pods, board: board, logger: state.logger)
                group.addTask { await events.run(state.aggregator) }
            }
            await group.waitForAll()
        }
        await client.shutDown()
    }
}
