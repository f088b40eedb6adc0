// SPDX-License-Identifier: Apache-2.0

import CLinuxShim
import Glibc

/// What happened in a watched directory since the last report.
package struct DirectoryChange: Hashable, Sendable {
    /// Names of the entries that may differ; meaningful only if `isComplete`.
    package var names: Set<String> = []
    /// False: read the whole directory anew.
    ///
    /// So it is at first, after events were lost, and when the directory itself
    /// came or went.
    package var isComplete = true
    /// False while the directory does not exist.
    package var directoryExists = true

    /// These entries may differ.
    package init(names: Set<String> = [], isComplete: Bool = true, directoryExists: Bool = true) {
        self.names = names
        self.isComplete = isComplete
        self.directoryExists = directoryExists
    }
}

/// Follows the files of a directory through inotify.
///
/// A file counts as changed when its writer has closed it, or when it was renamed, linked or removed: never half-written.
/// So a change is reported as soon as the directory was quiet for a tenth of the debounce time: a burst of files is one
/// report. Only what went away and was not replaced is held back for all of that time, because an editor that removes
/// and writes anew is about to bring it back. After ten times the debounce time a report comes in any case. A directory
/// that is absent is waited for.
package enum DirectoryWatcher {
    /// How soon an absent directory is looked for again.
    static let retryMilliseconds: Int32 = 200

    /// Watches a directory.
    ///
    /// The first report comes at once and asks for a full read.
    package static func changes(
        in directory: String, debounceMilliseconds: Int32 = 20
    ) throws(HostError) -> AsyncStream<DirectoryChange> {
        let signal = try WakeSignal()
        let watch = try InotifyWatch(directory)
        // A consumer that lags loses no change: what is dropped is merged into a full read by the next report.
        let (stream, continuation) = AsyncStream.makeStream(
            of: DirectoryChange.self, bufferingPolicy: .bufferingOldest(64))
        continuation.onTermination = { _ in signal.raise() }
        try DedicatedThread.start(name: "bulkhead-files") {
            defer { continuation.finish() }
            DirectoryWatchLoop(watch: watch, signal: signal, debounceMilliseconds: debounceMilliseconds).run { change in
                if case .dropped = continuation.yield(change) { false } else { true }
            }
        }
        return stream
    }

    /// Watches one file, through its directory so that renaming over it is seen.
    ///
    /// The first report comes at once.
    package static func changes(ofFile path: String) throws(HostError) -> AsyncStream<DirectoryChange> {
        let slash = path.lastIndex(of: "/")
        let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
        let all = try changes(in: directory)
        let (stream, continuation) = AsyncStream.makeStream(of: DirectoryChange.self)
        // A file behind a symbolic link elsewhere changes with the link, or with a link next to it (`..data`).
        let task = Task {
            for await change in all where !change.isComplete || isRelevant(change.names, to: name) {
                continuation.yield(change)
            }
            continuation.finish()
        }
        continuation.onTermination = { _ in task.cancel() }
        return stream
    }

    private static func isRelevant(_ names: Set<String>, to name: String) -> Bool {
        names.contains(name) || names.contains("..data")
    }
}

/// Collects events into reports.
private struct DirectoryWatchLoop {
    let watch: InotifyWatch
    let signal: WakeSignal
    let debounceMilliseconds: Int32

    func run(_ deliver: (DirectoryChange) -> Bool) {
        var pending: DirectoryChange?
        var existed: Bool?
        while true {
            let exists = watch.attach()
            if exists != existed { pending = DirectoryChange(isComplete: false) }
            existed = exists
            if var change = pending {
                change.directoryExists = exists
                pending = deliver(change) ? nil : DirectoryChange(isComplete: false)
            }
            let patience = exists && pending == nil ? -1 : DirectoryWatcher.retryMilliseconds
            switch try? waitForInput(watch.descriptor.rawValue, or: signal, milliseconds: patience) {
            case .readable: break
            case .timedOut: continue
            case .signalled, nil: return
            }
            guard let change = collect() else { return }
            if change != DirectoryChange() {
                pending = pending == nil ? change : DirectoryChange(isComplete: false)
            }
        }
    }

    /// Reads events until the directory is quiet; nil if stopped.
    private func collect() -> DirectoryChange? {
        var batch = WatchBatch()
        let deadline = HostClock.monotonicNanoseconds() + UInt64(debounceMilliseconds) * 10_000_000
        repeat {
            watch.read(into: &batch)
            let patience = batch.mayContinue ? debounceMilliseconds : max(1, debounceMilliseconds / 10)
            switch try? waitForInput(watch.descriptor.rawValue, or: signal, milliseconds: patience) {
            case .readable: break
            case .timedOut: return batch.change
            case .signalled, nil: return nil
            }
        } while HostClock.monotonicNanoseconds() < deadline
        return batch.change
    }
}
