// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxHost
import NetworkModel

/// What was last in force of each feed, on disk: a feed whose file is missing at a start is not lost.
///
/// A file for each feed: a head, then for each prefix its length (IPv6: plus 64) and its address of 4 or 16 bytes.
struct FeedStore: Sendable {
    let directory: String

    private static let head = Array("bulkhead feed 1\n".utf8)
    private static let bytesMax = 512 << 20

    /// Nil if nothing is kept of this feed.
    func read(_ feed: String) throws(AgentError) -> [CIDR]? {
        let bytes: [UInt8]
        do throws(HostError) {
            bytes = try readFile(path(feed), bytesMax: FeedStore.bytesMax)
        } catch {
            guard error.code == 2 else { throw AgentError(error.description) }
            return nil
        }
        guard let prefixes = FeedStore.decode(bytes.span) else {
            throw AgentError("cannot read \(path(feed)): it is damaged; the feed's own file counts alone")
        }
        return prefixes
    }

    func write(_ prefixes: [CIDR], of feed: String) throws(AgentError) {
        do throws(HostError) {
            try createDirectory(directory, mode: 0o700)
            try AtomicFile.write(FeedStore.encode(prefixes), to: path(feed))
        } catch {
            throw AgentError("\(error); after a restart the feed is what its file says")
        }
    }

    /// Forgets feeds that are not named any more.
    func keepOnly(_ feeds: [String]) {
        let kept = Set(feeds.map(FeedStore.fileName))
        for name in (try? directoryEntries(directory)) ?? []
        where name.hasSuffix(".feed") && !kept.contains(name) { unsafe unlink("\(directory)/\(name)") }
    }

    private func path(_ feed: String) -> String { "\(directory)/\(FeedStore.fileName(feed))" }

    /// Names are the operator's, and may be anything.
    private static func fileName(_ feed: String) -> String {
        feed.utf8.map { byte in
            let isPlain =
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-")
            return isPlain ? String(UnicodeScalar(byte)) : "_" + String(byte, radix: 16)
        }.joined() + ".feed"
    }

    static func encode(_ prefixes: [CIDR]) -> [UInt8] {
        var bytes = head
        bytes.reserveCapacity(head.count + prefixes.count * 6)
        for prefix in prefixes {
            if prefix.isIPv4 {
                bytes.append(UInt8(prefix.length))
                append(UInt64(prefix.address.v4Bits), 4, &bytes)
            } else {
                bytes.append(UInt8(64 + prefix.length))
                append(prefix.address.high, 8, &bytes)
                append(prefix.address.low, 8, &bytes)
            }
        }
        return bytes
    }

    static func decode(_ bytes: Span<UInt8>) -> [CIDR]? {
        guard bytes.count >= head.count, head.indices.allSatisfy({ bytes[$0] == head[$0] }) else { return nil }
        var prefixes: [CIDR] = []
        prefixes.reserveCapacity(bytes.count / 5)
        var at = head.count
        while at < bytes.count {
            let length = Int(bytes[at])
            at += 1
            if length <= 32 {
                guard at + 4 <= bytes.count else { return nil }
                prefixes.append(CIDR(IPAddress(v4: UInt32(number(bytes, at, 4))), length: length))
                at += 4
            } else {
                guard (64...192).contains(length), at + 16 <= bytes.count else { return nil }
                let address = IPAddress(high: number(bytes, at, 8), low: number(bytes, at + 8, 8))
                guard !address.isIPv4 else { return nil }
                prefixes.append(CIDR(address, length: length - 64))
                at += 16
            }
        }
        return prefixes
    }

    private static func append(_ value: UInt64, _ count: Int, _ bytes: inout [UInt8]) {
        for index in (0..<count).reversed() { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index))) }
    }

    private static func number(_ bytes: Span<UInt8>, _ at: Int, _ count: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in 0..<count { value = value << 8 | UInt64(bytes[at + index]) }
        return value
    }
}
