// SPDX-License-Identifier: Apache-2.0

import LinuxHost
import NetworkModel
import Synchronization

/// Follows the workloads file and the interfaces of what it names.
///
/// Nothing is polled as long as the kernel tells: the file through inotify, the host's links and those inside the
/// namespaces through netlink, names of namespaces through the mount table.
struct WorkloadsFileSource: Sendable {
    static let name = "workloads"
    /// How often what the kernel does not tell about is looked at.
    private static let pollInterval: Duration = .milliseconds(500)
    /// How often everything is looked at although nothing asked for it: in so many polls.
    private static let pollsPerResync = 120
    /// Changes come in bursts: what comes within this time after a round is handled together.
    private static let pause: Duration = .milliseconds(20)

    fileprivate static let bytesMax = 64 << 20

    let path: String
    let state: AgentState
    /// What was read at the start already.
    var opening: Opening?

    /// What is to be looked at again.
    private enum Work: Hashable {
        case file
        /// The host's links, and which namespace is behind each name.
        case names
        case namespace(UInt64)
        case everything
    }

    /// A file as it was read before the source runs, so that the source need not read the same again.
    ///
    /// Good for one run: the next one does not know what was in force in between.
    final class Opening: Sendable {
        fileprivate typealias Content = (file: WorkloadsFile, parts: WorkloadsFileParts?, digest: Int)
        private let content = Mutex<Content?>(nil)

        /// Reads it; returns the workloads of other hosts that it names, so that they are in force from the first
        /// moment: none if it cannot be read, which the source will say.
        func read(_ path: String) -> RemoteDelta {
            guard let bytes = try? readRegularFile(path, bytesMax: bytesMax),
                let reading = try? WorkloadsFile.Reading(bytes, file: path)
            else { return RemoteDelta() }
            var file = reading.file
            let remotes = file.remotes
            file.remotes = [:]
            let known = (file, WorkloadsFileParts(bytes, reading), digest(bytes))
            content.withLock { $0 = known }
            return RemoteDelta(setting: remotes)
        }

        fileprivate func take() -> Content? {
            content.withLock { content in
                defer { content = nil }
                return content
            }
        }
    }

    /// Tells contents of this process's time apart.
    fileprivate static func digest(_ bytes: [UInt8]) -> Int {
        var hasher = Hasher()
        unsafe bytes.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
        return hasher.finalize()
    }

    /// Runs until cancelled.
    func run() async throws {
        let watcher = try NamespaceWatcher()
        let resolver = WorkloadsFileResolver(thread: try NamespaceThread(), watcher: watcher)
        let needsPolling = PollNeed()
        let work = DirtySet<Work>()
        let files = try DirectoryWatcher.changes(ofFile: path)
        let links = try NetworkMonitor.updates()
        let mounts = try MountWatcher.changes()
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask { for await _ in files { work.insert([.file]) } }
            group.addTask { for await update in links where update.concernsLinks { work.insert([.names]) } }
            group.addTask { for await _ in mounts { work.insert([.names]) } }
            group.addTask { for await inode in watcher.changes() { work.insert([.namespace(inode)]) } }
            group.addTask {
                for round in 1... {
                    try await Task.sleep(for: Self.pollInterval)
                    if round % Self.pollsPerResync == 0 || !watcher.unwatched.isEmpty {
                        work.insert([.everything])
                    } else if await needsPolling.value {
                        work.insert([.names])
                    }
                }
            }
            try await follow(work, resolver, needsPolling)
        }
    }

    /// Tells which workloads of other hosts there are, or are others; false if the file was not read as a whole.
    private func passOn(_ content: WorkloadsFileContent) async -> Bool {
        switch await content.takeRemotes() {
        case .all(let remotes):
            await state.update(remotes: remotes, keysWith: RemoteWorkload.keyPrefix(source: WorkloadsFileSource.name))
            return true
        case .changed(let delta): await state.update(remotes: delta)
        case nil: break
        }
        return false
    }

    private func follow(_ work: DirtySet<Work>, _ resolver: WorkloadsFileResolver, _ needsPolling: PollNeed)
        async throws
    {
        var resolver = resolver
        let content = WorkloadsFileContent(path: path, opening?.take())
        try await work.forEachRound { round in
            if round.contains(.file) { await content.read(state) }
            guard let file = await content.current else { return }
            if await passOn(content) { await state.noteLooseHeap() }
            let inodes = round.compactMap { if case .namespace(let inode) = $0 { inode } else { nil } }
            resolver.forget(round.contains(.everything) ? nil : inodes)
            let workloads = await resolver.workloads(file)
            await needsPolling.set(resolver.needsPolling)
            await state.update(
                source: WorkloadsFileSource.name, workloads: workloads, state: await content.state, location: path)
            try await Task.sleep(for: Self.pause)
        }
    }
}

/// Whether some namespace can come or go without the kernel telling.
private actor PollNeed {
    private(set) var value = false

    func set(_ value: Bool) { self.value = value }
}

extension NetworkUpdate {
    /// False if nothing but addresses changed.
    fileprivate var concernsLinks: Bool {
        guard case .changes(let changes) = self else { return true }
        return changes.contains { change in
            switch change {
            case .linkSet, .linkRemoved: true
            case .addressSet, .addressRemoved: false
            }
        }
    }
}

/// What the file says, and whether its newest content could be read.
private actor WorkloadsFileContent {
    private let path: String
    private(set) var current: WorkloadsFile?
    private(set) var state = "waiting"
    private var remotes: Remotes?
    /// Of the content that `current` was read from.
    private var digest: Int?
    /// That content, if the next one need not be read as a whole.
    private var parts: WorkloadsFileParts?

    /// The workloads of other hosts.
    enum Remotes {
        case all([String: RemoteWorkload])
        /// Those that are others.
        case changed(RemoteDelta)
    }

    init(path: String, _ opening: WorkloadsFileSource.Opening.Content?) {
        self.path = path
        current = opening?.file
        digest = opening?.digest
        parts = opening?.parts
    }

    /// What has become of the workloads of other hosts, once after each time that the file was read.
    func takeRemotes() -> Remotes? {
        defer { remotes = nil }
        return remotes
    }

    private func update(to bytes: [UInt8]) throws {
        // What was read but not passed on is not known to anybody.
        if remotes == nil, current != nil, let change = parts?.update(to: bytes, file: path) {
            current?.entries = change.entries
            remotes = .changed(change.remotes)
            return
        }
        let reading = try WorkloadsFile.Reading(bytes, file: path)
        parts = WorkloadsFileParts(bytes, reading)
        current = reading.file
        current?.remotes = [:]
        remotes = .all(reading.file.remotes)
    }

    func read(_ agent: AgentState) async {
        do {
            let bytes = try readRegularFile(path, bytesMax: WorkloadsFileSource.bytesMax)
            let new = WorkloadsFileSource.digest(bytes)
            // Written again as it was, or read at the start already.
            if new != digest || current == nil {
                try update(to: bytes)
                digest = new
            }
            state = "watching"
            await agent.clearProblem(path)
        } catch let error as HostError where error.code == 2 {
            // No file: nobody names workloads.
            state = "absent"
            current = WorkloadsFile()
            (remotes, parts, digest) = (.all([:]), nil, nil)
            await agent.clearProblem(path)
        } catch {
            state = "has errors"
            await agent.report(path, "\(error); the workloads named before stay in force")
            guard current == nil else { return }
            await agent.update(source: WorkloadsFileSource.name, workloads: nil, state: state, location: path)
        }
    }
}
