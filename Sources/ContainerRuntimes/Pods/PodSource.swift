// SPDX-License-Identifier: Apache-2.0

package import LinuxHost
import Synchronization

/// The pods of this node: what the cluster says of them, at the links where the kernel shows them.
///
/// A pod is found by its UID: in what a network plugin told, or by the cgroup that the kubelet made for it.
package struct PodSource: WorkloadSource {
    package static let name = "kubernetes"

    private let board: PodBoard
    private let cgroupRoot: String?
    private let host: NetworkNamespace

    /// Makes a source that has nothing yet.
    ///
    /// `cgroupRoot`: below which pods' cgroups are; nil: only what is told on the board. `host`: the namespace whose links are
    /// attached to.
    package init(board: PodBoard, cgroupRoot: String?, host: NetworkNamespace = .own) {
        self.board = board
        self.cgroupRoot = cgroupRoot
        self.host = host
    }

    package var name: String { PodSource.name }

    package func changes() -> AsyncStream<WorkloadChange> {
        let (stream, continuation) = AsyncStream.makeStream(of: WorkloadChange.self)
        let task = Task {
            defer { continuation.finish() }
            do {
                let follower = try PodFollower(
                    board: board, cgroups: cgroupRoot.map { PodCgroups(root: $0) }, host: host)
                try await follower.run { continuation.yield($0) }
            } catch {
                let message = "pods are not followed: \(error)"
                continuation.yield(.status(WorkloadSourceStatus(isConnected: false, message: message)))
            }
        }
        continuation.onTermination = { _ in task.cancel() }
        return stream
    }
}

/// What is told of this node's pods, for the source to pick up: by the cluster, and by a network plugin.
package final class PodBoard: Sendable {
    struct Content: Sendable {
        /// By UID; nil: the cluster has not said yet.
        var pods: [String: PodRecord]?
        /// Files of namespaces, by the pod's UID.
        var namespaces: [String: NetworkNamespace] = [:]
        /// Whose files were told since somebody took the content: the same path may be another namespace.
        var told: Set<String> = []
    }

    private let content = Mutex(Content())
    private let wake: AsyncStream<Void>.Continuation
    /// For one consumer.
    let news: AsyncStream<Void>

    package init() {
        (news, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// All pods of this node that have not ended.
    package func set(pods: [String: PodRecord]) {
        let isNews = content.withLock { content in
            defer { content.pods = pods }
            return content.pods != pods
        }
        if isNews { wake.yield() }
    }

    /// Where a pod is, before any of its processes runs; nil: it is gone.
    package func set(namespace: NetworkNamespace?, ofPod uid: String) {
        content.withLock { content in
            content.namespaces[uid] = namespace
            content.told.insert(uid)
        }
        wake.yield()
    }

    /// By `<namespace>/<name>`, as far as the cluster has said.
    package var uids: [String: String] {
        let pods = content.withLock { $0.pods ?? [:] }
        return pods.reduce(into: [:]) { $0["\($1.value.namespace)/\($1.value.name)"] = $1.key }
    }

    var current: Content { content.withLock { $0 } }

    /// What there is; what was told is not told again.
    func take() -> Content {
        content.withLock { content in
            defer { content.told = [] }
            return content
        }
    }
}
