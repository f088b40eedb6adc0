// SPDX-License-Identifier: Apache-2.0

import CLinuxShim
import Glibc
import Synchronization

/// Tells when something comes or goes in any of several directories.
package final class TreeWatcher: Sendable {
    private let inotify: OwnedDescriptor
    private let signal: WakeSignal
    /// Watched directories with their numbers.
    private let watches = Mutex<[String: Int32]>([:])

    private static let mask = UInt32(
        IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE_SELF | IN_ONLYDIR)

    package init() throws(HostError) {
        let number = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
        guard number >= 0 else {
            throw HostError.last("watch directories", remedy: "raise fs.inotify.max_user_instances")
        }
        inotify = OwnedDescriptor(adopting: number)
        signal = try WakeSignal()
    }

    /// Watches exactly these directories; one that does not exist is left out.
    ///
    /// What happened in a directory before it was watched is not told: look into it after.
    /// - Returns: true if one was added, so that it is to be looked into.
    package func watch(_ directories: some Sequence<String>) -> Bool {
        let wanted = Set(directories)
        return watches.withLock { watches in
            var isMore = false
            for (directory, number) in watches where !wanted.contains(directory) {
                _ = inotify_rm_watch(inotify.rawValue, number)
                watches[directory] = nil
            }
            for directory in wanted {
                // Adding one that is watched tells the same number: another one means that it was made anew.
                let number = unsafe inotify_add_watch(inotify.rawValue, directory, TreeWatcher.mask)
                guard number >= 0 else {
                    watches[directory] = nil
                    continue
                }
                if watches.updateValue(number, forKey: directory) != number { isMore = true }
            }
            return isMore
        }
    }

    /// Subscribes; changes that come while the consumer is busy count as one.
    package func changes() throws(HostError) -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        continuation.onTermination = { [signal] _ in signal.raise() }
        try DedicatedThread.start(name: "bulkhead-cgroups") { [self] in
            defer { continuation.finish() }
            while wait() { continuation.yield() }
        }
        return stream
    }

    /// Sleeps until there are events, and takes them; false if stopped.
    private func wait() -> Bool {
        while true {
            switch try? waitForInput(inotify.rawValue, or: signal, milliseconds: -1) {
            case .readable: break
            case .timedOut: continue
            case .signalled, nil: return false
            }
            var buffer = [UInt8](repeating: 0, count: 16_384)
            while unsafe read(inotify.rawValue, &buffer, buffer.count) > 0 {}
            return true
        }
    }
}
