// SPDX-License-Identifier: Apache-2.0

/// One compiled BPF object, carried in the binary as base64 text in read-only data.
///
/// The build plugin generates a static member for each source file (`KernelProgram.tc_workload`) and the list `all`.
package struct KernelProgram: Sendable {
    /// The stem of the source file's name.
    package let name: StaticString
    /// The SHA-256 digest of the object in hexadecimal digits: tells builds apart.
    package let digest: StaticString
    private let base64: StaticString

    package init(name: StaticString, digest: StaticString, base64: StaticString) {
        self.name = name
        self.digest = digest
        self.base64 = base64
    }

    /// The ELF file's bytes, decoded anew at each call.
    package var objectBytes: [UInt8] {
        base64.withUTF8Buffer { text in unsafe KernelProgram.decode(text) }
    }

    private static func decode(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 4 * 3)
        var pending: UInt32 = 0
        var pendingBits: UInt32 = 0
        for index in text.indices {
            guard let value = unsafe sextet(text[index]) else { break }
            pending = pending << 6 | value
            pendingBits += 6
            if pendingBits >= 8 {
                pendingBits -= 8
                bytes.append(UInt8(truncatingIfNeeded: pending >> pendingBits))
            }
        }
        return bytes
    }

    /// The six bits of one base64 character; nil for the padding at the end.
    private static func sextet(_ character: UInt8) -> UInt32? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(character - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(character - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(character - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
