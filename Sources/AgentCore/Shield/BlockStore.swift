// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Glibc
import KernelDatapath
import LinuxHost
import NetworkModel

/// Blocks with cause and end, on disk: the kernel's are gone after a reboot.
struct BlockStore: Sendable {
    /// A block with what is left of its time.
    struct Rest: Hashable, Sendable {
        var prefix: CIDR
        var seconds: Int64
        var cause: String
        var closesFailsafes = false
    }

    private struct Line: Codable {
        var prefix: CIDR
        /// Nanoseconds since 1970; and how many seconds were left when that was written.
        var until: UInt64
        var left: Int64
        var cause: String
        /// Absent: failsafe ports stay open.
        var closesFailsafes: Bool?
    }

    let path: String

    private static let bytesMax = 512 << 20

    /// Those that have not ended; `now` in nanoseconds since 1970.
    ///
    /// A clock that is behind what it was, as of a machine without a battery, makes no block longer. Damaged lines are none.
    func read(now: UInt64) -> [Rest] {
        guard let bytes = try? readFile(path, bytesMax: BlockStore.bytesMax) else { return [] }
        return bytes.split(separator: UInt8(ascii: "\n")).compactMap { text in
            guard let line = try? APICoding.decode(Line.self, from: Array(text)), line.until > now else { return nil }
            let (whole, rest) = (line.until - now).quotientAndRemainder(dividingBy: 1_000_000_000)
            let seconds = min(Int64(clamping: whole) + (rest > 0 ? 1 : 0), line.left)
            guard seconds > 0 else { return nil }
            return Rest(
                prefix: line.prefix, seconds: seconds, cause: line.cause, closesFailsafes: line.closesFailsafes == true)
        }
    }

    func write(_ blocks: [ShieldBlock], now: UInt64) throws {
        var bytes: [UInt8] = []
        for block in blocks {
            let (seconds, rest) = block.remaining.components
            let left = seconds + (rest > 0 ? 1 : 0)
            let until = now &+ UInt64(clamping: seconds) &* 1_000_000_000 &+ UInt64(clamping: rest / 1_000_000_000)
            bytes += try APICoding.encode(
                Line(
                    prefix: block.prefix, until: until, left: left, cause: block.cause,
                    closesFailsafes: block.closesFailsafes ? true : nil))
            bytes.append(UInt8(ascii: "\n"))
        }
        do throws(HostError) {
            try AtomicFile.write(bytes, to: path)
        } catch {
            throw AgentError("\(error); after a reboot the blocks are those of before")
        }
    }

    func remove() { unsafe unlink(path) }
}
