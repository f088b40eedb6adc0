// SPDX-License-Identifier: Apache-2.0

package import ClusterModel
import ClusterSchema
import LinuxHost
package import Logging
import Synchronization

/// A cluster without Kubernetes: nodes that share policies and workloads through etcd v3.
package final class EtcdCluster: ClusterFeed {
    package let name = "etcd"

    private let configuration: EtcdConfiguration
    private let node: String
    private let layout: StoreLayout
    private let client: EtcdClient
    private let desk: PublicationDesk
    private let logger: Logger
    private let board = Mutex<StatusBoard?>(nil)

    /// Throws if a file for TLS cannot be used, or the name is none; connects to nobody yet.
    package init(configuration: EtcdConfiguration, node: String, logger: Logger) throws(StoreError) {
        self.configuration = configuration
        self.node = node
        self.logger = logger
        layout = StoreLayout(prefix: configuration.prefix)
        client = try EtcdClient(configuration, logger: logger)
        desk = try PublicationDesk(layout: layout, node: node)
    }

    /// Registers this node, and follows the store until the consumer stops; to be called once.
    package func changes() -> AsyncStream<ClusterChange> {
        let (stream, continuation) = AsyncStream.makeStream(of: ClusterChange.self)
        let board = StatusBoard { continuation.yield(.status($0)) }
        self.board.withLock { $0 = board }
        let follower = Follower(client, configuration, desk: desk, board: board) { continuation.yield($0) }
        let registrar = Registrar(
            client: client, configuration: configuration, node: node, key: layout.text(.node(node)) ?? "", desk: desk,
            board: board, logger: logger)
        let task = Task {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await follower.run() }
                group.addTask { await follower.keepTime() }
                group.addTask { await registrar.run() }
            }
            continuation.finish()
        }
        continuation.onTermination = { _ in task.cancel() }
        return stream
    }

    /// What runs on this node from now on, by `<namespace>/<name>`; written in the background, what differs only.
    ///
    /// Until it is called nothing of what an earlier run of this node published is touched.
    package func publish(workloads: [String: ClusterWorkload]) {
        let problems = desk.tell(workloads)
        board.withLock { $0 }?.note(unpublished: problems)
    }

    /// Puts policies into the store, by `<kind>/<namespace>/<name>`; up to a hundred come into force together.
    /// - Parameter author: who does it, for people.
    /// - Returns: the store's revision since which they are there.
    @discardableResult
    package func apply(documents: [String: [UInt8]], author: String) async throws(StoreError) -> Int64 {
        try await commit(try puts(documents, author))
    }

    /// Takes policies out of the store.
    @discardableResult
    package func delete(documents: Set<String>) async throws(StoreError) -> Int64 {
        var batches: [Publication.Batch] = []
        for name in documents {
            let key = try key(of: name)
            if batches.last?.count ?? Publication.operationsMax == Publication.operationsMax { batches.append(.init()) }
            batches[batches.count - 1].deletes.insert(key)
        }
        return try await commit(batches)
    }

    private func key(of name: String) throws(StoreError) -> String {
        guard let key = layout.text(.document(name)) else {
            throw StoreError(.refused, "'\(name)' is not <kind>/<namespace>/<name>, or too long")
        }
        return key
    }

    private func puts(_ documents: [String: [UInt8]], _ author: String) throws(StoreError) -> [Publication.Batch] {
        let appliedAt = Timestamp.now()
        var batches: [Publication.Batch] = []
        var bytes = 0
        for (name, text) in documents.sorted(by: { $0.key < $1.key }) {
            let key = try key(of: name)
            guard let text = String(validating: text, as: UTF8.self) else {
                throw StoreError(.refused, "'\(name)' is not UTF-8")
            }
            let value = StoredDocument(text: text, appliedBy: author, appliedAt: appliedAt).bytes
            guard value.count <= StoredDocument.bytesMax else {
                throw StoreError(
                    .refused, "'\(name)' is too long for the store: at most \(StoredDocument.bytesMax) bytes")
            }
            bytes += value.count
            let isFull = bytes > StoredDocument.bytesMax || batches.last?.count == Publication.operationsMax
            if isFull || batches.isEmpty {
                batches.append(.init())
                bytes = value.count
            }
            batches[batches.count - 1].puts[key] = value
        }
        return batches
    }

    private func commit(_ batches: [Publication.Batch]) async throws(StoreError) -> Int64 {
        var revision: Int64 = 0
        do {
            for batch in batches { revision = try await client.commit(batch) ?? revision }
        } catch let error as StoreError {
            throw error
        } catch {
            throw StoreError(.unavailable, GRPCConnection.describe(error))
        }
        return revision
    }
}
