// SPDX-License-Identifier: Apache-2.0

/// The order of bytes in the numbers of a capture: that of the machine that wrote it.
enum ByteOrder: Equatable, Sendable {
    case little
    case big
}

extension [UInt8] {
    /// The two bytes at `index`, which must be there.
    func number16(at index: Int, _ order: ByteOrder) -> UInt16 {
        let (first, second) = (UInt16(self[index]), UInt16(self[index + 1]))
        return order == .big ? first << 8 | second : second << 8 | first
    }

    /// The four bytes at `index`, which must be there.
    func number32(at index: Int, _ order: ByteOrder) -> UInt32 {
        let first = UInt32(number16(at: index, order))
        let second = UInt32(number16(at: index + 2, order))
        return order == .big ? first << 16 | second : second << 16 | first
    }
}
