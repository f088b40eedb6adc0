// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// gRPC's frame around a message: a byte that says whether it is compressed, its length, the message.
struct GRPCFrames {
    static let headLength = 5
    /// A message is refused beyond this: a page of a list, at most.
    static let messageBytesMax = 128 << 20

    private var buffer = ByteBuffer()

    static func frame(_ message: [UInt8]) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(headLength + message.count)
        buffer.writeInteger(UInt8(0))
        buffer.writeInteger(UInt32(message.count))
        buffer.writeBytes(message)
        return buffer
    }

    mutating func append(_ bytes: ByteBuffer) {
        if buffer.readableBytes == 0 {
            buffer = bytes
        } else {
            buffer.writeImmutableBuffer(bytes)
        }
    }

    /// The next message that is there whole.
    mutating func next() throws(StoreError) -> [UInt8]? {
        guard let compression = buffer.getInteger(at: buffer.readerIndex, as: UInt8.self),
            let length = buffer.getInteger(at: buffer.readerIndex + 1, as: UInt32.self)
        else { return nil }
        guard compression == 0, length <= GRPCFrames.messageBytesMax else {
            throw StoreError(.protocolViolation, "a member sent a message that is compressed or too long")
        }
        guard buffer.readableBytes >= GRPCFrames.headLength + Int(length) else { return nil }
        buffer.moveReaderIndex(forwardBy: GRPCFrames.headLength)
        let message = buffer.readBytes(length: Int(length))
        buffer.discardReadBytes()
        return message
    }
}
