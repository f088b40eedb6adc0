// SPDX-License-Identifier: Apache-2.0

import CLinuxShim
import Glibc

/// How to reach a network namespace: by a file bound to it, or through a process inside.
package enum NetworkNamespace: Hashable, Sendable, CustomStringConvertible {
    /// A bind mount such as `/run/netns/web`, or any `/proc/PID/ns/net`.
    case path(String)
    /// The namespace of a process.
    case process(Int32)

    /// The namespace of the calling process's main thread.
    package static let own = NetworkNamespace.path("/proc/self/ns/net")

    /// The file that stands for it.
    package var path: String {
        switch self {
        case .path(let path): path
        case .process(let pid): "/proc/\(pid)/ns/net"
        }
    }

    package var description: String { path }

    /// True if `MountWatcher` tells when the name gets another meaning.
    ///
    /// False for symbolic links, such as `/proc/PID/ns/net`, and for what does not exist: it may come as one.
    package var isNamedByMount: Bool {
        var info = stat()
        return unsafe lstat(path, &info) == 0 && info.st_mode & S_IFMT != S_IFLNK
    }

    /// Opens it; the descriptor keeps the namespace alive.
    package func open() throws(HostError) -> OwnedDescriptor {
        try OwnedDescriptor(opening: path, purpose: "network namespace")
    }

    /// The inode that tells namespaces apart: equal inodes, same namespace (as long as it lives).
    /// - Throws: `ENOENT` if it is gone, `EINVAL` if the file is not a network namespace.
    package func inode() throws(HostError) -> UInt64 {
        var info = stat()
        guard unsafe stat(path, &info) == 0 else { throw HostError.last("look up network namespace \(path)") }
        var own = stat()
        // Every namespace file lives in nsfs: another device means the path is a plain file, for instance a
        // `/run/netns/NAME` whose bind mount is gone.
        guard unsafe stat("/proc/self/ns/net", &own) == 0, own.st_dev == info.st_dev else {
            throw HostError(
                "use \(path) as a network namespace", code: EINVAL,
                remedy: "name a file below /run/netns, or /proc/PID/ns/net")
        }
        return UInt64(info.st_ino)
    }

    /// Moves the calling thread into it.
    ///
    /// Only on a dedicated thread, which goes home before it resumes a task or yields a value: Swift concurrency starts
    /// its threads from the one that has work for them, and a thread inherits the namespace of who starts it.
    func enter() throws(HostError) {
        try enterNamespace(open(), name: path)
    }
}

/// Moves the calling thread into an opened namespace.
func enterNamespace(_ descriptor: borrowing OwnedDescriptor, name: String) throws(HostError) {
    guard bulkhead_enter_network_namespace(descriptor.rawValue) == 0 else {
        throw HostError.last("enter network namespace \(name)", remedy: "needs CAP_SYS_ADMIN")
    }
}

/// Moves the calling thread back into the namespace that it left, if it did.
func leaveNamespace(for home: borrowing OwnedDescriptor) {
    guard bulkhead_enter_network_namespace(home.rawValue) != 0 else { return }
    // Who may not enter others may not enter its own either, and never left. On a thread that stayed elsewhere every
    // connection would be somebody else's.
    var there = stat(), here = stat()
    let isAtHome =
        unsafe fstat(home.rawValue, &there) == 0 && stat("/proc/thread-self/ns/net", &here) == 0
        && (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)
    precondition(isAtHome, "the way home is open")
}
