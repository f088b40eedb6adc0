// SPDX-License-Identifier: Apache-2.0

import LinuxHost

/// Finds, reads and watches the network namespaces of containers.
final class NamespaceInspector: Sendable {
    private let host: NetworkNamespace
    private let thread: NamespaceThread
    private let watcher: NamespaceWatcher

    init(host: NetworkNamespace) throws {
        self.host = host
        thread = try NamespaceThread()
        watcher = try NamespaceWatcher()
    }

    /// The inode of the namespace a container is in; nil if it has ended.
    func inode(of record: ContainerRecord) -> UInt64? {
        candidates(record).lazy.compactMap { try? $0.inode() }.first
    }

    /// Reads the namespaces of those containers.
    func read(
        _ namespaces: [(inode: UInt64, record: ContainerRecord)]
    ) async -> [UInt64: Result<NamespaceInterfaces, WorkloadProblem>] {
        let paths = namespaces.map { inode, record in
            candidates(record).first { (try? $0.inode()) == inode } ?? .process(record.pid)
        }
        let results = await thread.interfaces(of: paths, host: host)
        var found: [UInt64: Result<NamespaceInterfaces, WorkloadProblem>] = [:]
        for (namespace, result) in zip(namespaces, results) {
            found[namespace.inode] = result.mapError { WorkloadProblem("\($0)") }
        }
        return found
    }

    /// Follows the links and addresses in exactly these namespaces from now on.
    func watch(_ namespaces: [UInt64: ContainerRecord]) {
        watcher.watch(namespaces.mapValues { candidates($0) })
    }

    /// The inodes of watched namespaces whose links or addresses changed.
    func changes() -> AsyncStream<UInt64> { watcher.changes() }

    /// The process first: an engine's file may outlive the container, or be in another mount namespace.
    private func candidates(_ record: ContainerRecord) -> [NetworkNamespace] {
        [.process(record.pid)] + (record.sandboxPath.map { [.path($0)] } ?? [])
    }
}
