// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import ClusterSchema
import LinuxHost
import Logging

/// Keeps what the store says: a list, then a watch from there, as long as it goes.
actor Follower {
    private static let tick: Duration = .milliseconds(500)

    private let client: EtcdClient
    private let silenceLimit: Duration
    private let desk: PublicationDesk
    private let logger: Logger
    private let board: StatusBoard
    private let tell: @Sendable (ClusterChange) -> Void
    private var view: StoreView
    /// Nil: list first.
    private var resume: Int64?
    /// Of the store that was listed last; nil: not known.
    private var storeName: String?
    private let nameFile: NameFile
    private var isConnected = false

    init(
        _ client: EtcdClient, _ configuration: EtcdConfiguration, view: StoreView, desk: PublicationDesk,
        board: StatusBoard, logger: Logger,
        tell: @Sendable @escaping (ClusterChange) -> Void
    ) {
        self.client = client
        silenceLimit = configuration.silenceLimit
        self.desk = desk
        self.logger = logger
        self.board = board
        self.tell = tell
        self.view = view
        nameFile = NameFile(path: configuration.nameFile)
        storeName = nameFile.read()
    }

    var nodeCount: Int { view.nodes.count }

    var authors: [String: StoredAuthor] { view.authors }

    func text(of document: String) -> [UInt8]? { view.content.documents[document] }

    /// Runs until cancelled.
    func run() async {
        var pause = Pause()
        while !Task.isCancelled {
            let failure = await attempt()
            if isConnected { pause.reset() }
            isConnected = false
            guard failure.kind != .compacted else {
                resume = nil
                continue
            }
            guard !Task.isCancelled else { return }
            board.note(isConnected: false, failure.message)
            try? await Task.sleep(for: pause.wait())
        }
    }

    /// Lets go of what was kept long enough, until cancelled; not while the store is not heard: what it would say is not known.
    func keepTime() async {
        while (try? await Task.sleep(for: Follower.tick)) != nil {
            guard isConnected else { continue }
            tell(view.expire(now: Follower.now()))
        }
    }

    /// Lists if need be and watches, until something fails.
    private func attempt() async -> StoreError {
        do {
            let start: Int64
            let names = StoreName(client: client, key: view.layout.nameKey)
            if let resume, try await names.current() == storeName {
                start = resume
            } else {
                let name = try await names.claim()
                let (entries, revision) = try await client.list(view.layout.root)
                try await take(entries, of: name)
                start = revision + 1
                resume = start
            }
            try await client.watch(view.layout.root, from: start, silenceLimit: silenceLimit) { [weak self] step in
                await self?.take(step)
            }
            return StoreError(.unavailable, "the watch ended")
        } catch let error as StoreError {
            return error
        } catch {
            return StoreError(.unavailable, GRPCConnection.describe(error))
        }
    }

    private func take(_ entries: [StoreEntry], of name: String) async throws {
        let isAnother = storeName.map { $0 != name } ?? false
        tell(view.replace(with: entries, keepingDocuments: isAnother, now: Follower.now()))
        desk.replace(with: entries)
        board.note(unreadable: view.problems)
        if !view.unwritten.isEmpty {
            logger.warning(
                "the store lost policies: they are put back", metadata: ["policies": "\(view.unwritten.count)"])
            try await Refill(client: client, layout: view.layout).put(view.unwritten)
        }
        // Not before: an attempt that failed in between begins anew.
        storeName = name
        nameFile.write(name)
    }

    private func take(_ step: WatchStep) async {
        switch step {
        case .begun:
            isConnected = true
            let place = await client.place
            board.note(isConnected: true, "connected to \(place)")
        case .events(let events, let revision):
            tell(view.take(events, now: Follower.now()))
            resume = max(resume ?? 0, revision + 1)
            desk.take(events)
            board.note(unreadable: view.problems)
        }
    }

    private func tell(_ delta: ClusterDelta) {
        if !delta.isEmpty { tell(.delta(delta)) }
    }

    private static func now() -> Duration { .nanoseconds(HostClock.bootNanoseconds()) }
}
