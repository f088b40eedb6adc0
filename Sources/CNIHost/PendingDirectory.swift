// SPDX-License-Identifier: Apache-2.0

package import CNIPlugin
import Glibc
package import LinuxHost

/// Changes that wait for an agent which is down: a file for each attachment, under one lock.
///
/// Who adds tries the agent again with the lock in hand, and the agent reads with the lock in hand after it has begun to
/// answer: so nothing is added behind the back of an agent that has read already.
package struct PendingDirectory: Sendable {
    /// More do not wait: the agent finds out by itself which interfaces are gone.
    package static let changesMax = 10_000
    private static let suffix = ".json"

    let path: String

    package init(path: String) { self.path = path }

    /// Runs `body` while nobody else changes the directory; makes the directory.
    package func whileLocked<Value>(_ body: () throws(HostError) -> Value) throws(HostError) -> Value {
        try createDirectory(path, mode: 0o700)
        let lockPath = "\(path)/lock"
        let raw = unsafe open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard raw >= 0 else { throw HostError.last("open \(lockPath)") }
        let lock = OwnedDescriptor(adopting: raw)
        while flock(lock.rawValue, LOCK_EX) != 0 {
            guard errno == EINTR else { throw HostError.last("lock \(lockPath)") }
        }
        return try body()
    }

    /// The newest change of an attachment replaces the one before it.
    package func add(_ change: PendingChange) throws(HostError) {
        guard try names().count < Self.changesMax else {
            throw HostError("add to \(path)", code: ENOSPC, remedy: "\(Self.changesMax) changes wait already")
        }
        try AtomicFile.write(Array(change.json.text.utf8), to: "\(path)/\(Self.name(change.name))")
    }

    /// What waits; a file that is none of ours is left out and reported.
    package func changes() throws(HostError) -> (changes: [(file: String, bytes: [UInt8])], unreadable: [String]) {
        var changes: [(file: String, bytes: [UInt8])] = []
        var unreadable: [String] = []
        for name in try names() {
            let file = "\(path)/\(name)"
            do throws(HostError) {
                changes.append((file, try readRegularFile(file, bytesMax: 1 << 20)))
            } catch {
                unreadable.append("\(error)")
            }
        }
        return (changes, unreadable)
    }

    package func remove(_ file: String) { unsafe unlink(file) }

    private func names() throws(HostError) -> [String] {
        try directoryEntries(path).filter { $0.hasSuffix(Self.suffix) }.sorted()
    }

    /// `@` is in no container's id; of a very long id the end is its hash.
    static func name(_ name: AttachmentName) -> String {
        let text = "\(name.containerID)@\(name.interface)"
        guard text.utf8.count > 200 else { return text + suffix }
        let hash = text.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        return "\(text.prefix(180))@\(String(hash, radix: 16))" + suffix
    }
}
