// SPDX-License-Identifier: Apache-2.0

package import ClusterModel
package import ClusterSchema
import LinuxHost
package import Logging
package import NetworkModel
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
    private let follower = Mutex<Follower?>(nil)
    private let remembered = Mutex(ClusterContent())

    /// Throws if a file for TLS cannot be used, or the name is none; connects to nobody yet.
    package init(configuration: EtcdConfiguration, node: String, logger: Logger) throws(StoreError) {
        self.configuration = configuration
        self.node = node
        self.logger = logger
        layout = StoreLayout(prefix: configuration.prefix)
        client = try EtcdClient(configuration, logger: logger)
        desk = try PublicationDesk(layout: layout, node: node)
    }

    /// What was known of the store before; of what the first list lacks, workloads of silent nodes stay for their grace.
    ///
    /// Before `changes`.
    package func begin(with content: ClusterContent) { remembered.withLock { $0 = content } }

    /// Registers this node, and follows the store until the consumer stops; to be called once.
    package func changes() -> AsyncStream<ClusterChange> {
        let (stream, continuation) = AsyncStream.makeStream(of: ClusterChange.self)
        let board = StatusBoard { continuation.yield(.status($0)) }
        self.board.withLock { $0 = board }
        let remembered = remembered.withLock { content in
            defer { content = ClusterContent() }
            return content
        }
        let view = StoreView(
            layout: layout, grace: configuration.grace, node: node, instance: configuration.instance,
            remembered: remembered)
        let follower = Follower(client, configuration, view: view, desk: desk, board: board, logger: logger) {
            continuation.yield($0)
        }
        self.follower.withLock { $0 = follower }
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

    /// The host's own addresses, as other nodes are to know them; before its workloads.
    package func publish(addresses: [IPAddress]) { desk.tell(addresses: addresses) }

    /// Puts policies into the store, by `<kind>/<namespace>/<name>`: all of them in one transaction, or none.
    ///
    /// Refuses what is more than one transaction holds: a hundred policies, 1 MiB.
    /// - Parameter author: who does it, for people.
    /// - Returns: the store's revision since which they are there.
    @discardableResult
    package func apply(documents: [String: [UInt8]], author: String) async throws(StoreError) -> Int64 {
        try await commit(try puts(documents, author))
    }

    /// Takes policies out of the store, in the same way.
    @discardableResult
    package func delete(documents: Set<String>) async throws(StoreError) -> Int64 {
        var batch = Publication.Batch()
        for name in documents { batch.deletes.insert(try key(of: name)) }
        return try await commit(batch)
    }

    /// Who applied each policy that is known, by name.
    package func authors() async -> [String: StoredAuthor] {
        await follower.withLock { $0 }?.authors ?? [:]
    }

    /// How many nodes are registered, this one included.
    package func nodeCount() async -> Int { await follower.withLock { $0 }?.nodeCount ?? 0 }

    /// The text of a policy that is known.
    package func text(of document: String) async -> [UInt8]? {
        await follower.withLock { $0 }?.text(of: document)
    }

    private func key(of name: String) throws(StoreError) -> String {
        guard let key = layout.text(.document(name)) else {
            throw StoreError(.refused, "'\(name)' is not <kind>/<namespace>/<name>, or too long")
        }
        return key
    }

    private func puts(_ documents: [String: [UInt8]], _ author: String) throws(StoreError) -> Publication.Batch {
        let appliedAt = Timestamp.now()
        var batch = Publication.Batch()
        for (name, text) in documents {
            let key = try key(of: name)
            guard let text = String(validating: text, as: UTF8.self) else {
                throw StoreError(.refused, "'\(name)' is not UTF-8")
            }
            batch.puts[key] = StoredDocument(text: text, appliedBy: author, appliedAt: appliedAt).bytes
        }
        return batch
    }

    private func commit(_ batch: Publication.Batch) async throws(StoreError) -> Int64 {
        let bytes = batch.puts.values.reduce(0) { $0 + $1.count }
        guard batch.count <= Publication.operationsMax, bytes <= StoredDocument.bytesMax else {
            throw StoreError(
                .refused,
                "\(batch.count) policies of \(bytes) bytes are too many for one transaction: at most "
                    + "\(Publication.operationsMax) and \(StoredDocument.bytesMax) bytes come into force together")
        }
        do {
            guard let revision = try await client.commit(batch) else {
                throw StoreError(.protocolViolation, "the store refused a transaction without conditions")
            }
            return revision
        } catch let error as StoreError {
            throw error
        } catch {
            throw StoreError(.unavailable, GRPCConnection.describe(error))
        }
    }
}
