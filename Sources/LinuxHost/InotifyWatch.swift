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
    func read(into change: inout DirectoryChange) {
        var buffer = [UInt8](repeating: 0, count: 16_384)
        let count = unsafe Glibc.read(descriptor.rawValue, &buffer, buffer.count)
        guard count > 0 else { return }
        var rest = buffer[..<count]
        while rest.count >= Self.headerLength {
            let length = Self.headerLength + Int(rest.read32(at: 12))
            let name = rest.prefix(length).dropFirst(Self.headerLength).zeroTerminatedText
            take(Int32(bitPattern: rest.read32(at: 0)), Int32(bitPattern: rest.read32(at: 4)), name, into: &change)
            rest = rest.dropFirst(length)
        }
    }

    private func take(_ number: Int32, _ event: Int32, _ name: String, into change: inout DirectoryChange) {
        if event & Int32(IN_Q_OVERFLOW) != 0 {
            change.isComplete = false
            return
        }
        // Events of a watch that was given up may still be queued.
        guard watch.withLock({ $0 == number }) else { return }
        if event & Int32(IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT) != 0 {
            change.isComplete = false
            _ = inotify_rm_watch(descriptor.rawValue, number)
            watch.withLock { $0 = nil }
        } else if event & Int32(IN_CREATE) != 0 {
            // A new plain file is reported when its writer closes it; a link has no writer.
            if unsafe bulkhead_entry_is_complete("\(directory)/\(name)") == 1 { change.names.insert(name) }
        } else if !name.isEmpty {
            change.names.insert(name)
        }
    }
}
