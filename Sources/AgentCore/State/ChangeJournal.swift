// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Glibc
import LinuxHost

/// Changes of a state, one JSON line each, in one file: added and synced, and written anew when it has grown.
///
/// A line says what is to be put in place of what was there, so that reading one twice does no harm.
struct ChangeJournal<Change: Codable & Sendable>: Sendable {
    let path: String
    private var byteCount = 0
    /// Size after the file was last written anew.
    private var wholeByteCount = 0
    /// Why the disk did not take the last changes; nil: it did.
    private(set) var problem: String?

    /// A file that is longer, and twice as long as when it was last written anew, is written anew.
    private let bytesMax: Int

    init(path: String, bytesMax: Int = 4 << 20) {
        self.path = path
        self.bytesMax = bytesMax
    }

    /// Everything there is, oldest first, without lines that cannot be read.
    mutating func read() -> [Change] {
        let bytes: [UInt8]
        do throws(HostError) {
            bytes = try readFile(path, bytesMax: 1 << 30)
        } catch {
            if error.code != ENOENT { problem = error.description }
            return []
        }
        // The rest of an addition that was cut off is written over.
        let whole = bytes[..<((bytes.lastIndex(of: UInt8(ascii: "\n")) ?? -1) + 1)]
        byteCount = whole.count
        wholeByteCount = whole.count
        var damaged = 0
        let changes = whole.split(separator: UInt8(ascii: "\n")).compactMap { line -> Change? in
            let change = try? APICoding.decode(Change.self, from: Array(line))
            if change == nil { damaged += 1 }
            return change
        }
        if damaged > 0 { problem = "\(path): \(damaged) lines are damaged and passed over" }
        return changes
    }

    /// Adds changes and waits until they are on disk; `whole` is everything, with these.
    mutating func append(_ changes: [Change], whole: () -> [Change]) {
        guard !changes.isEmpty else { return }
        do throws(HostError) {
            // Without what did not get there the rest makes no sense.
            guard problem == nil, byteCount < max(bytesMax, 2 * wholeByteCount) else {
                let bytes = ChangeJournal.lines(whole())
                try AtomicFile.write(bytes, to: path)
                (byteCount, wholeByteCount) = (bytes.count, bytes.count)
                problem = nil
                return
            }
            let bytes = ChangeJournal.lines(changes)
            try AtomicFile.append(bytes, to: path, at: byteCount)
            byteCount += bytes.count
        } catch {
            problem = error.description
        }
    }

    private static func lines(_ changes: [Change]) -> [UInt8] {
        changes.flatMap { change in ((try? APICoding.encode(change)) ?? []) + [UInt8(ascii: "\n")] }
    }
}
