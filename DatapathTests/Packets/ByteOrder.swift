// SPDX-License-Identifier: Apache-2.0
import NetworkModel

extension UInt16 {
    /// Most significant byte first.
    var networkOrder: [UInt8] { [UInt8(self >> 8), UInt8(self & 0xff)] }
}

extension UInt32 {
    /// Most significant byte first.
    var networkOrder: [UInt8] { UInt16(self >> 16).networkOrder + UInt16(self & 0xffff).networkOrder }
}

extension UInt64 {
    /// Most significant byte first.
    var networkOrder: [UInt8] {
        UInt32(self >> 32).networkOrder + UInt32(self & 0xffff_ffff).networkOrder
    }
}

extension IPAddress {
    /// 4 or 16 bytes as they stand in an IP header.
    var headerBytes: [UInt8] { isIPv4 ? v4Bits.networkOrder : high.networkOrder + low.networkOrder }
}

/// The Internet checksum (RFC 1071).
func internetChecksum(_ bytes: [UInt8]) -> UInt16 {
    var sum: UInt32 = 0
    for index in stride(from: 0, to: bytes.count, by: 2) {
        sum += UInt32(bytes[index]) << 8 | (index + 1 < bytes.count ? UInt32(bytes[index + 1]) : 0)
    }
    while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
    return ~UInt16(sum)
}

/// CRC-32C, low byte first, as SCTP carries it (RFC 9260, appendix A).
func sctpChecksum(_ bytes: [UInt8]) -> [UInt8] {
    var crc: UInt32 = ~0
    for byte in bytes {
        crc ^= UInt32(byte)
        for _ in 0..<8 { crc = crc & 1 != 0 ? crc >> 1 ^ 0x82f6_3b78 : crc >> 1 }
    }
    return (~crc).networkOrder.reversed()
}
