// SPDX-License-Identifier: Apache-2.0

/// Cuts the chunks of a body into lines, wherever the chunks end.
package struct LineSplitter: Sendable {
    /// A longer line is refused: no object is that large, and a server that never ends a line must not take all memory.
    package static let lineBytesMax = 32 << 20

    private var rest: [UInt8] = []
    private let bytesMax: Int

    package init(bytesMax: Int = LineSplitter.lineBytesMax) { self.bytesMax = bytesMax }

    /// The lines that a chunk completes, without their ends; empty ones are left out.
    ///
    /// Throws if a line is too long.
    package mutating func lines(_ chunk: some Collection<UInt8>) throws(KubernetesError) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var begin = chunk.startIndex
        while let end = chunk[begin...].firstIndex(of: UInt8(ascii: "\n")) {
            var line = rest + chunk[begin..<end]
            rest = []
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            if !line.isEmpty { lines.append(line) }
            begin = chunk.index(after: end)
        }
        rest += chunk[begin...]
        guard rest.count <= bytesMax, lines.allSatisfy({ $0.count <= bytesMax }) else {
            throw KubernetesError(.malformed, "a line of a watch has more than \(bytesMax >> 20) MiB")
        }
        return lines
    }

    /// What is left when the body ends: a last line without an end.
    package mutating func finish() -> [UInt8]? {
        defer { rest = [] }
        return rest.isEmpty ? nil : rest
    }
}
