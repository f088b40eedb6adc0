// SPDX-License-Identifier: Apache-2.0

import PolicyReading

/// A workloads file cut into its entries, so that of its next content only the entries that are others need be read.
///
/// It is cut only where the parts are certain to mean what the whole means: one list in block style, each entry beginning
/// on a line of its own, nothing that reaches over entries. For any other content, and whenever a part cannot be read,
/// the answer is nil and the file is to be read as a whole: so every error is found, and placed, by that.
struct WorkloadsFileParts: Sendable {
    /// What became of the file.
    struct Change {
        var entries: [WorkloadsFile.Entry]
        var remotes = RemoteDelta()
    }

    private struct Part {
        /// Of its bytes.
        var digest: Int
        /// That of a workload of another host; those of this host have no other use for it than that names differ.
        var key: String
    }

    /// In the order of the file.
    private var parts: [Part]
    /// The workloads of this host, by digest.
    private var local: [Int: WorkloadsFile.Entry]
    /// Not less than the nodes of the file, of which a reader takes so many.
    private var weight: Int

    /// So many other entries are read one by one; the whole is read at once.
    private static var changesMax: Int { 4096 }

    /// Cuts a file that was read; nil if that cannot be done.
    init?(_ bytes: [UInt8], _ reading: WorkloadsFile.Reading) {
        guard let cut = WorkloadsFileCut(bytes), cut.count == reading.items.count else { return nil }
        parts = []
        parts.reserveCapacity(cut.count)
        (local, weight) = ([:], reading.weight)
        for (number, item) in reading.items.enumerated() {
            guard cut.lines(number).contains(item.line) else { return nil }
            let digest = cut.digest(number, of: bytes)
            parts.append(Part(digest: digest, key: item.key))
            if let entry = reading.entry(item) { local[digest] = entry }
        }
    }

    /// Reads what is another; nil, and nothing is changed, if the whole must be read.
    mutating func update(to bytes: [UInt8], file: String) -> Change? {
        guard bytes.count <= YAMLLimits().byteCountMax, let cut = WorkloadsFileCut(bytes) else { return nil }
        let digests = (0..<cut.count).map { cut.digest($0, of: bytes) }
        let window = ChangedDigests(from: parts.lazy.map(\.digest), to: digests)
        var gone = Dictionary(parts[window.old].map { ($0.digest, $0.key) }) { first, _ in first }
        // One text twice is one name twice.
        guard gone.count == window.old.count else { return nil }
        var next = self
        var (middle, news): ([Part], [(part: Part, remote: RemoteWorkload?)]) = ([], [])
        for number in window.new {
            if let key = gone.removeValue(forKey: digests[number]) {
                middle.append(Part(digest: digests[number], key: key))
                continue
            }
            guard news.count < WorkloadsFileParts.changesMax,
                let reading = try? WorkloadsFile.Reading(cut.document(number, of: bytes), file: file),
                reading.items.count == 1, let item = reading.items.first
            else { return nil }
            let part = Part(digest: digests[number], key: item.key)
            middle.append(part)
            news.append((part, reading.file.remotes[item.key]))
            next.weight += reading.weight
            next.local[part.digest] = reading.entry(item)
        }
        var change = Change(entries: [])
        for (digest, key) in gone where next.local.removeValue(forKey: digest) == nil { change.remotes[key] = nil }
        for (part, remote) in news { if let remote { change.remotes[part.key] = remote } }
        next.parts.replaceSubrange(window.old, with: middle)
        guard next.weight <= YAMLLimits().nodeCountMax, next.areNamesDifferent(Set(news.map(\.part.key)), news.count)
        else { return nil }
        change.entries = next.local.isEmpty ? [] : next.parts.compactMap { next.local[$0.digest] }
        self = next
        return change
    }

    /// True if each of these keys, of so many parts, is that of one part.
    private func areNamesDifferent(_ keys: Set<String>, _ count: Int) -> Bool {
        keys.count == count && (keys.isEmpty || parts.count { keys.contains($0.key) } == count)
    }
}

/// Two lists of digests: what both begin and end with is left out.
private struct ChangedDigests {
    let old: Range<Int>
    let new: Range<Int>

    init(from old: some RandomAccessCollection<Int>, to new: [Int]) {
        let before = Array(old)
        let shorter = min(before.count, new.count)
        var front = 0
        while front < shorter, before[front] == new[front] { front += 1 }
        var back = 0
        while back < shorter - front, before[before.count - 1 - back] == new[new.count - 1 - back] { back += 1 }
        self.old = front..<(before.count - back)
        self.new = front..<(new.count - back)
    }
}

/// Where the entries of a workloads file begin, by looking at the beginnings of its lines.
private struct WorkloadsFileCut {
    /// Offsets of the entries, and the end of the text.
    private var starts: [Int] = []
    /// Their lines, from 1, and the line behind the last.
    private var firstLines: [Int] = []

    var count: Int { starts.count - 1 }

    /// Nil unless the file is `workloads:` and a list of which each entry begins with a line of its own.
    init?(_ bytes: [UInt8]) {
        // An anchor of one entry may be meant in another.
        guard !bytes.contains(where: { $0 == UInt8(ascii: "&") || $0 == UInt8(ascii: "*") }) else { return nil }
        let key = Array("workloads:".utf8)
        var (indent, hasKey): (Int?, Bool) = (nil, false)
        var (start, line) = (0, 1)
        while start < bytes.count {
            let rest = bytes[start...]
            let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            if let first = bytes[start..<end].firstIndex(where: { $0 != UInt8(ascii: " ") }) {
                let column = first - start
                let isEntry =
                    bytes[first] == UInt8(ascii: "-")
                    && (first + 1 == end || bytes[first + 1] == UInt8(ascii: " "))
                if hasKey, isEntry, column == indent ?? column {
                    indent = column
                    starts.append(start)
                    firstLines.append(line)
                } else if bytes[first] != UInt8(ascii: "#"), column <= indent ?? .max {
                    guard !hasKey, column == 0, bytes[start..<end].elementsEqual(key) else { return nil }
                    hasKey = true
                }
            }
            start = end + 1
            line += 1
        }
        guard !starts.isEmpty else { return nil }
        starts.append(bytes.count)
        firstLines.append(line)
    }

    /// The lines of an entry.
    func lines(_ number: Int) -> Range<Int> { firstLines[number]..<firstLines[number + 1] }

    /// Tells entries of this process's time apart.
    func digest(_ number: Int, of bytes: [UInt8]) -> Int {
        var hasher = Hasher()
        unsafe bytes[starts[number]..<starts[number + 1]].withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
        return hasher.finalize()
    }

    /// A file with this entry alone.
    func document(_ number: Int, of bytes: [UInt8]) -> [UInt8] {
        Array("workloads:\n".utf8) + bytes[starts[number]..<starts[number + 1]]
    }
}
