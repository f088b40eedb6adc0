// SPDX-License-Identifier: Apache-2.0

import LinuxHost

/// Finds, reads and watches the network namespaces of workloads.
final class NamespaceInspector: Sendable {
    /// How to reach a namespace, the surest way first.
    typealias Ways = [NetworkNamespace]

    private let host: NetworkNamespace
    private let thread: NamespaceThread
    private let watcher: NamespaceWatcher

    init(host: NetworkNamespace) throws {
        self.host = host
        thread = try NamespaceThread()
        watcher = try NamespaceWatcher()
    }

    /// The inode of the namespace that the first way that leads anywhere leads to; nil if none does.
    func inode(_ ways: Ways) -> UInt64? { ways.lazy.compactMap { try? $0.inode() }.first }

    /// Reads those namespaces.
    func read(
        _ namespaces: [(inode: UInt64, ways: Ways)]
    ) async -> [UInt64: Result<NamespaceInterfaces, WorkloadProblem>] {
        let paths = namespaces.compactMap { inode, ways in
            ways.first { (try? $0.inode()) == inode } ?? ways.first
        }
        let results = await thread.interfaces(of: paths, host: host)
        var found: [UInt64: Result<NamespaceInterfaces, WorkloadProblem>] = [:]
        for (namespace, result) in zip(namespaces, results) {
            found[namespace.inode] = result.mapError { WorkloadProblem("\($0)") }
        }
        return found
    }

    /// Follows the links and addresses in exactly these namespaces from now on.
    func watch(_ namespaces: [UInt64: Ways]) { watcher.watch(namespaces) }

    /// The inodes of watched namespaces whose links or addresses changed.
    func changes() -> AsyncStream<UInt64> { watcher.changes() }
}
