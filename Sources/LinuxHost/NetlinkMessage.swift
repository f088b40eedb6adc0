// SPDX-License-Identifier: Apache-2.0

import CLinuxShim
import Glibc

#if _endian(big)
    #error("netlink uses the machine's byte order; these readers assume little-endian")
#endif

/// One netlink message of a datagram: header fields and the bytes after the header.
struct NetlinkMessage: Equatable {
    static let headerLength = 16

    let type: UInt16
    let flags: UInt16
    let sequence: UInt32
    let payload: ArraySlice<UInt8>

    /// Cuts a datagram into its messages.
    /// - Throws: `EBADMSG` if a length leads outside of the datagram.
    static func split(_ datagram: [UInt8]) throws(HostError) -> [NetlinkMessage] {
        var messages: [NetlinkMessage] = []
        var rest = datagram[...]
        while rest.count >= headerLength {
            let length = Int(rest.read32(at: 0))
            guard length >= headerLength, length <= rest.count else {
                throw HostError("read netlink message of \(length) bytes in \(rest.count)", code: EBADMSG)
            }
            let body = rest.prefix(length)
            messages.append(
                NetlinkMessage(
                    type: body.read16(at: 4), flags: body.read16(at: 6), sequence: body.read32(at: 8),
                    payload: body.dropFirst(headerLength)))
            rest = rest.dropFirst((length + 3) & ~3)
        }
        return messages
    }

    /// Builds a request for the kernel.
    static func request(type: Int, flags: Int32, sequence: UInt32, payload: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append32(UInt32(headerLength + payload.count))
        bytes.append16(UInt16(type))
        bytes.append16(UInt16(flags | NLM_F_REQUEST))
        bytes.append32(sequence)
        bytes.append32(0)  // port: the kernel fills in ours
        return bytes + payload
    }
}

/// The attributes (type, bytes) that follow a message's fixed part.
///
/// A length that leads outside ends the sequence.
struct NetlinkAttributes: Sequence, IteratorProtocol {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    mutating func next() -> (type: Int, value: ArraySlice<UInt8>)? {
        guard rest.count >= 4 else { return nil }
        let length = Int(rest.read16(at: 0))
        // The two high bits flag nesting and byte order; they are no part of the type.
        let type = Int(rest.read16(at: 2) & 0x3fff)
        guard length >= 4, length <= rest.count else { return nil }
        let value = rest.prefix(length).dropFirst(4)
        rest = rest.dropFirst((length + 3) & ~3)
        return (type, value)
    }
}

extension ArraySlice<UInt8> {
    /// The 16-bit number at an offset from the slice's start, host order; 0 if it is not all there.
    func read16(at offset: Int) -> UInt16 {
        guard count >= offset + 2 else { return 0 }
        let index = startIndex + offset
        return UInt16(self[index]) | UInt16(self[index + 1]) << 8
    }

    /// The 32-bit number at an offset from the slice's start, host order; 0 if it is not all there.
    func read32(at offset: Int) -> UInt32 {
        guard count >= offset + 4 else { return 0 }
        return UInt32(read16(at: offset)) | UInt32(read16(at: offset + 2)) << 16
    }

    /// A byte at an offset from the slice's start; 0 if it is not there.
    func read8(at offset: Int) -> UInt8 {
        count > offset ? self[startIndex + offset] : 0
    }

    /// The text up to the first zero byte.
    var zeroTerminatedText: String {
        String(decoding: prefix { $0 != 0 }, as: UTF8.self)
    }
}

extension [UInt8] {
    /// Appends 16 bits in host order.
    mutating func append16(_ value: UInt16) {
        append(UInt8(truncatingIfNeeded: value))
        append(UInt8(truncatingIfNeeded: value >> 8))
    }

    /// Appends 32 bits in host order.
    mutating func append32(_ value: UInt32) {
        append16(UInt16(truncatingIfNeeded: value))
        append16(UInt16(truncatingIfNeeded: value >> 16))
    }

    /// Appends an attribute that holds 32 bits.
    mutating func appendAttribute(_ type: Int, _ value: UInt32) {
        append16(8)
        append16(UInt16(type))
        append32(value)
    }
}
