// SPDX-License-Identifier: Apache-2.0

import LinuxHost

/// Follows pods for as long as its task lives.
struct PodFollower {
    /// Waiting times before cgroups are looked at again while some pod is not found: a process comes into its cgroup
    /// without a word.
    private static func searchInterval(_ searches: Int) -> Duration {
        searches < 20 ? .milliseconds(50) : searches < 80 ? .milliseconds(250) : .seconds(2)
    }

    /// After so long without a word from the cluster others need not wait for this source: what was known before stands.
    private static let silenceMax: Duration = .seconds(5)
    /// How often everything is looked at although nothing asked for it.
    private static let resyncInterval: Duration = .seconds(60)

    private let board: PodBoard
    private let cgroups: PodCgroups?
    private let inspector: NamespaceInspector
    private let hostInode: UInt64
    private let watcher: TreeWatcher

    init(board: PodBoard, cgroups: PodCgroups?, host: NetworkNamespace) throws {
        self.board = board
        self.cgroups = cgroups
        inspector = try NamespaceInspector(host: host)
        hostInode = try host.inode()
        watcher = try TreeWatcher()
    }

    private enum Work: Hashable {
        case board
        case cgroups
        /// The same, because some pod was not found.
        case search
        case namespace(UInt64)
        case everything
    }

    func run(_ report: @escaping @Sendable (WorkloadChange) -> Void) async throws {
        let work = DirtySet<Work>()
        let treeChanges = try watcher.changes()
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask { for await _ in board.news { work.insert([.board]) } }
            group.addTask { for await inode in inspector.changes() { work.insert([.namespace(inode)]) } }
            group.addTask { for await _ in treeChanges { work.insert([.cgroups]) } }
            group.addTask {
                while true {
                    try await Task.sleep(for: Self.resyncInterval)
                    work.insert([.everything])
                }
            }
            group.addTask {
                try await Task.sleep(for: Self.silenceMax)
                guard board.current.pods == nil else { return }
                let message = "the cluster has not told of this node's pods yet; those known before stay in force"
                report(.status(WorkloadSourceStatus(isConnected: false, message: message)))
            }
            work.insert([.everything])
            var state = PodState(inspector: inspector, hostNamespaceInode: hostInode)
            var hasReported = false
            var searches = 0
            var isSearching = false
            try await work.forEachRound { round in
                let content = board.take()
                guard let pods = content.pods else { return }
                state.set(pods: pods)
                search(&state, content, all: round.contains(.everything))
                let changed = round.compactMap { if case .namespace(let inode) = $0 { inode } else { nil } }
                await state.refresh(namespaces: changed)
                if hasReported {
                    for change in state.changes() { report(change) }
                } else {
                    hasReported = true
                    report(state.snapshot())
                    report(.status(WorkloadSourceStatus(isConnected: true, message: "following the pods of this node")))
                }
                searches = round.contains(.board) || round.contains(.cgroups) ? 0 : searches + 1
                if round.contains(.search) { isSearching = false }
                guard cgroups != nil, !state.homeless.isEmpty, !isSearching else { return }
                isSearching = true
                let interval = Self.searchInterval(searches)
                Task {
                    try? await Task.sleep(for: interval)
                    work.insert([.search])
                }
            }
        }
    }

    /// What a network plugin told comes first: it was there before any process.
    private func search(_ state: inout PodState, _ content: PodBoard.Content, all: Bool) {
        var ways: [String: NamespaceInspector.Ways] = [:]
        for (uid, namespace) in content.namespaces { ways[uid] = [namespace] }
        if let cgroups {
            var found = cgroups.find()
            while watcher.watch(found.directories) { found = cgroups.find() }
            let sought = all ? Array(content.pods?.keys ?? [:].keys) : state.homeless
            for uid in sought where ways[uid] == nil {
                guard let path = found.pods[uid], let process = cgroups.firstProcess(ofPodAt: path) else { continue }
                ways[uid] = [.process(process)]
            }
        }
        state.set(ways: ways) { all || content.told.contains($0) }
    }
}
