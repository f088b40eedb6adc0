// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import ContainerRuntimes
import IdentityModel
import KubernetesClient
import LinuxHost

/// Follows the cluster through its API: policies and their objects, workloads, and the pods of this node.
struct KubernetesFeed: ClusterFeed {
    private static let tickInterval: Duration = .seconds(5)

    let client: KubernetesClient
    /// As the API names this node.
    let node: String
    let filter: LabelFilter
    /// What was known before the start.
    let remembered: RememberedCluster
    /// Where the pods of this node are told.
    let board: PodBoard
    /// Whether workloads of other nodes come in slices, not from every pod.
    var slices = SliceMode.never
    var kinds = ResourceKind.documents

    var name: String { PodSource.name }

    func changes() -> AsyncStream<ClusterChange> {
        let (stream, continuation) = AsyncStream.makeStream(of: ClusterChange.self)
        let task = Task {
            defer { continuation.finish() }
            await follow { continuation.yield($0) }
            await client.shutDown()
        }
        continuation.onTermination = { _ in task.cancel() }
        return stream
    }

    private func follow(_ tell: @Sendable (ClusterChange) -> Void) async {
        guard let isSliced = await sliced(tell) else { return }
        let (steps, post) = AsyncStream.makeStream(of: KubernetesAssembly.Step.self)
        await withTaskGroup(of: Void.self) { group in
            let reader = PodReader(filter: filter, node: node)
            let pods = Informer(.pods, client, fieldSelector: isSliced ? "spec.nodeName=\(node)" : nil) {
                try reader.facts(of: $0)
            }
            let namespaces = Informer(.namespaces, client) { $0.meta.labels ?? [:] }
            group.addTask { for await change in pods.changes() { post.yield(.pods(change)) } }
            group.addTask { for await change in namespaces.changes() { post.yield(.namespaces(change)) } }
            if isSliced {
                let slices = Informer(.workloadSlices, client) { try WorkloadSlice($0) }
                group.addTask { for await change in slices.changes() { post.yield(.slices(change)) } }
            }
            for kind in kinds {
                let follower = DocumentFollower(kind: kind, client: client) { ClusterText($0, kind) }
                group.addTask { await follower.run { post.yield(.documents(kind, $0)) } }
            }
            group.addTask {
                while (try? await Task.sleep(for: Self.tickInterval)) != nil { post.yield(.tick) }
            }
            var assembly = KubernetesAssembly(
                server: client.configuration.server, node: node, isSliced: isSliced, kinds: kinds, filter: filter,
                remembered: recall(isSliced))
            // What a list left behind lies between what stays.
            var isHeapLoose = false
            for await step in steps {
                for change in assembly.take(step) { tell(change) }
                if let records = assembly.takeRecords() { board.set(pods: records) }
                if case .pods(.replaced) = step { isHeapLoose = true }
                guard case .tick = step, isHeapLoose else { continue }
                HeapMemory.giveBack()
                isHeapLoose = false
            }
            group.cancelAll()
        }
    }
}

extension KubernetesFeed {
    /// Workloads are needed of it only where slices may be unreadable.
    private func recall(_ isSliced: Bool) -> ClusterContent {
        let content = remembered.take()
        return isSliced ? content : ClusterContent(documents: content.documents)
    }

    private static let pause: Duration = .seconds(2)

    /// Nil: cancelled before the API answered; what was remembered stands meanwhile.
    private func sliced(_ tell: @Sendable (ClusterChange) -> Void) async -> Bool? {
        while !Task.isCancelled {
            do throws(KubernetesError) {
                return try await slices.isSliced(client)
            } catch {
                tell(
                    .status(
                        ClusterFeedStatus(
                            isConnected: false,
                            message: "the API at \(client.configuration.server) does not tell of pods",
                            problems: ["\(ResourceKind.pods)": error.message])))
            }
            try? await Task.sleep(for: Self.pause)
        }
        return nil
    }
}
