// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc
package import LinuxHost

/// What a sink has not taken yet, in segments on disk: bounded, and what it loses is counted.
///
/// Lines have numbers that only grow. A segment's file is named by the number of its first line; the file `cursor` says up to
/// which line everything was delivered. A crash so may repeat lines, and loses none.
package struct NoticeSpool: Sendable {
    /// What outlives the agent besides the lines.
    package struct Counts: Codable, Hashable, Sendable {
        /// The next line to be delivered.
        var next = 0
        package var delivered = 0
        /// Refused by the receiver for good.
        package var refused = 0
        /// Gone for want of room.
        package var lost = 0
    }

    private struct Segment: Hashable, Sendable {
        var first: Int
        var lines: Int
        var bytes: Int
    }

    private let directory: String
    private let bytesMax: Int
    private var segments: [Segment] = []
    package private(set) var counts = Counts()
    /// Lines that could not be written to disk; they come behind all that could.
    private var unwritten: [[UInt8]] = []
    /// Why the disk did not take lines; nil: it does.
    package private(set) var problem: String?

    /// Lines kept in memory while the disk takes none.
    private static let unwrittenMax = 1000

    /// Goes on with what lies in the directory, which is made if it is missing.
    package init(directory: String, bytesMax: Int) throws(HostError) {
        self.directory = directory
        self.bytesMax = max(bytesMax, 4096)
        try createDirectory(directory, mode: 0o700)
        if let bytes = try? readFile("\(directory)/cursor"),
            let counts = try? JSONDecoder().decode(Counts.self, from: Data(bytes))
        {
            self.counts = counts
        }
        // What nobody can have written: a number that leaves no room for more counts as damaged.
        if counts.next < 0 || counts.next > Int.max / 2 { counts.next = 0 }
        let names = try directoryEntries(directory).filter { name in
            Int(name).map { "\($0)" == name && $0 >= 0 } == true
        }
        for first in names.compactMap({ Int($0) }).sorted() where first <= Int.max / 2 { try adopt(first) }
        counts.next = max(counts.next, segments.first?.first ?? counts.next)
    }

    private mutating func adopt(_ first: Int) throws(HostError) {
        let bytes = try readFile(path(first), bytesMax: 1 << 30)
        // The rest of a write that was cut off is written over.
        let whole = (bytes.lastIndex(of: UInt8(ascii: "\n")) ?? -1) + 1
        let lines = bytes[..<whole].count { $0 == UInt8(ascii: "\n") }
        guard lines > 0, first + lines > counts.next else {
            unsafe unlink(path(first))
            return
        }
        segments.append(Segment(first: first, lines: lines, bytes: whole))
    }

    /// Lines of a segment that somebody took away are lost, and those behind it go on.
    private mutating func skipMissing() {
        guard let first = segments.first?.first, first > counts.next else { return }
        counts.lost += first - counts.next
        counts.next = first
    }

    private func path(_ first: Int) -> String { "\(directory)/\(first)" }

    private var end: Int { segments.last.map { $0.first + $0.lines } ?? counts.next }

    /// Lines that wait.
    package var pending: Int { end - counts.next + unwritten.count }

    // MARK: - Adding

    /// Adds lines without newlines; takes the oldest away if there are too many bytes.
    package mutating func append(_ lines: [[UInt8]]) {
        unwritten += lines
        do throws(HostError) {
            while !unwritten.isEmpty { try write() }
            problem = nil
        } catch {
            problem = "\(error)"
            let excess = unwritten.count - NoticeSpool.unwrittenMax
            if excess > 0 {
                unwritten.removeFirst(excess)
                counts.lost += excess
            }
        }
    }

    private mutating func write() throws(HostError) {
        let segmentMax = max(1024, bytesMax / 8)
        if segments.isEmpty || (segments.last?.bytes ?? 0) >= segmentMax {
            segments.append(Segment(first: end, lines: 0, bytes: 0))
        }
        var segment = segments[segments.count - 1]
        var bytes: [UInt8] = []
        var count = 0
        while count < unwritten.count, count == 0 || segment.bytes + bytes.count < segmentMax {
            bytes += unwritten[count] + [UInt8(ascii: "\n")]
            count += 1
        }
        do throws(HostError) {
            try AtomicFile.append(bytes, to: path(segment.first), at: segment.bytes)
        } catch {
            if segment.lines == 0 { segments.removeLast() }
            throw error
        }
        segment.bytes += bytes.count
        segment.lines += count
        segments[segments.count - 1] = segment
        unwritten.removeFirst(count)
        while segments.count > 1, segments.reduce(0, { $0 + $1.bytes }) > bytesMax { dropOldest() }
    }

    private mutating func dropOldest() {
        let oldest = segments.removeFirst()
        counts.lost += oldest.first + oldest.lines - max(counts.next, oldest.first)
        counts.next = oldest.first + oldest.lines
        unsafe unlink(path(oldest.first))
        save()
    }

    // MARK: - Taking

    /// The oldest lines, and the number of the first of them.
    package func peek(_ most: Int) throws(HostError) -> (first: Int, lines: [[UInt8]]) {
        guard let segment = segments.first else { return (counts.next, Array(unwritten.prefix(most))) }
        let bytes = try readFile(path(segment.first), bytesMax: 1 << 30).prefix(segment.bytes)
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let skipped = counts.next - segment.first
        return (counts.next, lines.dropFirst(skipped).prefix(min(most, segment.lines - skipped)).map(Array.init))
    }

    /// The lines before `end` are delivered; those that went for want of room meanwhile are not counted twice.
    package mutating func markDelivered(upTo end: Int) {
        let count = max(0, end - counts.next)
        counts.delivered += count
        advance(count)
    }

    /// The receiver will never take the oldest line.
    package mutating func markRefused(_ number: Int) {
        guard number == counts.next else { return }
        counts.refused += 1
        advance(1)
    }

    private mutating func advance(_ count: Int) {
        guard count > 0 else { return }
        if segments.isEmpty { unwritten.removeFirst(min(count, unwritten.count)) }
        counts.next += count
        save()
        while let segment = segments.first, segment.first + segment.lines <= counts.next {
            segments.removeFirst()
            unsafe unlink(path(segment.first))
            skipMissing()
        }
    }

    /// A full disk costs repetitions after a restart, no more.
    private func save() {
        guard let bytes = try? JSONEncoder().encode(counts) else { return }
        try? AtomicFile.write([UInt8](bytes), to: "\(directory)/cursor")
    }
}
