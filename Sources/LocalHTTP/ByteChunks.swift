// SPDX-License-Identifier: Apache-2.0

/// The body of an answer in the pieces it came in.
///
/// Ends with the body; throws `LocalHTTPError` if the connection breaks. For one iteration, by one task; the connection
/// closes when the sequence and its iterators are gone, or the task is cancelled.
package struct ByteChunks: AsyncSequence, Sendable {
    package typealias Element = [UInt8]

    let lease: ReaderLease

    /// Steps through the pieces.
    package struct AsyncIterator: AsyncIteratorProtocol {
        let lease: ReaderLease

        /// The next piece, never empty.
        package mutating func next() async throws -> [UInt8]? {
            while let chunk = try await lease.reader.nextChunk() {
                if !chunk.isEmpty { return chunk }
            }
            return nil
        }
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(lease: lease) }
}

/// The body of an answer, cut into lines without their newlines; a last line without a newline counts.
package struct ByteLines: AsyncSequence, Sendable {
    package typealias Element = [UInt8]

    /// A longer line is an error: nothing we talk to writes one.
    package static let lineBytesMax = 16 << 20

    let chunks: ByteChunks

    /// Steps through the lines.
    package struct AsyncIterator: AsyncIteratorProtocol {
        var chunks: ByteChunks.AsyncIterator
        var pending: [UInt8] = []
        /// Where to look for the next newline: what is before was searched.
        var searched = 0
        var isAtEnd = false

        /// The next line, without its newline.
        package mutating func next() async throws -> [UInt8]? {
            while true {
                if let end = pending[searched...].firstIndex(of: 0x0a) {
                    let line = Array(pending[..<end])
                    pending.removeSubrange(...end)
                    searched = 0
                    return line
                }
                searched = pending.count
                guard !isAtEnd else {
                    defer { (pending, searched) = ([], 0) }
                    return pending.isEmpty ? nil : pending
                }
                guard pending.count <= ByteLines.lineBytesMax else {
                    throw LocalHTTPError(
                        .tooLarge, socketPath: chunks.lease.reader.socketPath,
                        reason: "a line is longer than \(ByteLines.lineBytesMax) bytes")
                }
                if let chunk = try await chunks.next() { pending += chunk } else { isAtEnd = true }
            }
        }
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(chunks: chunks.makeAsyncIterator()) }
}
