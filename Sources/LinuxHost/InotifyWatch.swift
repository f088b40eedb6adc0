// SPDX-License-Identifier: Apache-2.0

import CLinuxShim
import Glibc
import Synchronization

/// An inotify instance with one watch, on a directory that may come and go.
final class InotifyWatch: Sendable {
    private static let headerLength = 16  // struct inotify_event without its name
    private static let mask = UInt32(
        IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_ATTRIB | IN_DELETE_SELF
            | IN_MOVE_SELF | IN_ONLYDIR)

    let descriptor: OwnedDescriptor
    private let directory: String
    /// The watch's number; nil while the directory is absent.
    ///
    /// Only the watching thread uses it.
    private let watch = Mutex<Int32?>(nil)

    init(_ directory: String) throws(HostError) {
        let number = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
        guard number >= 0 else {
            throw HostError.last(
                "watch directory \(directory)",
                remedy: "if too many files are open, raise fs.inotify.max_user_instances")
        }
        descriptor = OwnedDescriptor(adopting: number)
        self.directory = directory
    }

    /// Makes sure the directory is watched.
    /// - Returns: false if it does not exist.
    func attach() -> Bool {
        watch.withLock { watch in
            if watch == nil {
                let number = unsafe inotify_add_watch(descriptor.rawValue, directory, Self.mask)
                watch = number >= 0 ? number : nil
            }
            return watch != nil
        }
    }

    /// Reads the events that wait.
    func read(into batch: inout WatchBatch) {
        var buffer = [UInt8](repeating: 0, count: 16_384)
        let count = unsafe Glibc.read(descriptor.rawValue, &buffer, buffer.count)
        guard count > 0 else { return }
        var rest = buffer[..<count]
        while rest.count >= Self.headerLength {
            let length = Self.headerLength + Int(rest.read32(at: 12))
            let name = rest.prefix(length).dropFirst(Self.headerLength).zeroTerminatedText
            let event = Event(
                watch: Int32(bitPattern: rest.read32(at: 0)), mask: Int32(bitPattern: rest.read32(at: 4)),
                cookie: rest.read32(at: 8), name: name)
            take(event, into: &batch)
            rest = rest.dropFirst(length)
        }
    }

    /// One `struct inotify_event`.
    private struct Event {
        let watch: Int32
        let mask: Int32
        let cookie: UInt32
        let name: String

        func has(_ bits: Int32) -> Bool { mask & bits != 0 }
    }

    private func take(_ event: Event, into batch: inout WatchBatch) {
        if event.has(Int32(IN_Q_OVERFLOW)) {
            batch.change.isComplete = false
            return
        }
        // Events of a watch that was given up may still be queued.
        guard watch.withLock({ $0 == event.watch }) else { return }
        if event.has(Int32(IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT)) {
            batch.change.isComplete = false
            _ = inotify_rm_watch(descriptor.rawValue, event.watch)
            watch.withLock { $0 = nil }
        } else if event.has(Int32(IN_CREATE)) {
            // A new plain file is reported when its writer closes it; a link has no writer.
            if unsafe bulkhead_entry_is_complete("\(directory)/\(event.name)") == 1 { batch.note(event.name) }
        } else if event.has(Int32(IN_DELETE)) {
            batch.noteGone(event.name)
        } else if event.has(Int32(IN_MOVED_FROM)) {
            batch.noteGone(event.name, movedBy: event.cookie)
        } else if !event.name.isEmpty {
            batch.note(event.name, movedBy: event.has(Int32(IN_MOVED_TO)) ? event.cookie : nil)
        }
    }
}

/// The events of one report.
struct WatchBatch {
    var change = DirectoryChange()
    /// Names that went, each with the number of its move if it was moved.
    private var gone: [String: UInt32?] = [:]

    /// True if something went and nothing came in its place: more is likely to follow.
    var mayContinue: Bool { !gone.isEmpty }

    /// A whole file has this name now; it may have been moved here.
    mutating func note(_ name: String, movedBy cookie: UInt32? = nil) {
        change.names.insert(name)
        gone[name] = nil
        if let cookie { gone = gone.filter { $0.value != cookie } }
    }

    mutating func noteGone(_ name: String, movedBy cookie: UInt32? = nil) {
        change.names.insert(name)
        gone.updateValue(cookie, forKey: name)
    }
}
