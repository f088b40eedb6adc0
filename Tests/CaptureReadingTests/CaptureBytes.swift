// SPDX-License-Identifier: Apache-2.0

/// Writes captures for the tests, byte by byte after the formats' drafts and independently of the reader.
struct CaptureBytes {
    var bytes: [UInt8] = []
    let isBigEndian: Bool

    init(isBigEndian: Bool = false) { self.isBigEndian = isBigEndian }

    mutating func add(_ numbers: UInt32...) {
        for number in numbers {
            let little = (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
            bytes += isBigEndian ? little.reversed() : little
        }
    }

    mutating func addHalves(_ numbers: UInt16...) {
        for number in numbers {
            let little = [UInt8(truncatingIfNeeded: number), UInt8(number >> 8)]
            bytes += isBigEndian ? little.reversed() : little
        }
    }

    /// A pcap file's header; version 2.4.
    static func pcap(magic: UInt32 = 0xa1b2_c3d4, linkType: UInt32 = 1, isBigEndian: Bool = false) -> CaptureBytes {
        var file = CaptureBytes(isBigEndian: isBigEndian)
        file.add(magic)
        file.addHalves(2, 4)
        file.add(0, 0, 262_144, linkType)
        return file
    }

    mutating func addRecord(seconds: UInt32, ticks: UInt32, _ packet: [UInt8], original: Int? = nil) {
        add(seconds, ticks, UInt32(packet.count), UInt32(original ?? packet.count))
        bytes += packet
    }

    /// A pcapng block; `body` is padded to a multiple of four.
    mutating func addBlock(_ type: UInt32, _ body: CaptureBytes) {
        let padded = body.bytes + [UInt8](repeating: 0, count: (4 - body.bytes.count % 4) % 4)
        let length = UInt32(padded.count + 12)
        add(type, length)
        bytes += padded
        add(length)
    }

    mutating func addSection() {
        var body = CaptureBytes(isBigEndian: isBigEndian)
        body.add(0x1a2b_3c4d)
        body.addHalves(1, 0)
        body.add(.max, .max)
        addBlock(0x0a0d_0d0a, body)
    }

    /// `options`: code and value of each.
    mutating func addInterface(linkType: UInt16, snapLength: UInt32 = 0, options: [(code: UInt16, value: [UInt8])] = [])
    {
        var body = CaptureBytes(isBigEndian: isBigEndian)
        body.addHalves(linkType, 0)
        body.add(snapLength)
        for option in options {
            body.addHalves(option.code, UInt16(option.value.count))
            body.bytes += option.value + [UInt8](repeating: 0, count: (4 - option.value.count % 4) % 4)
        }
        if !options.isEmpty { body.addHalves(0, 0) }
        addBlock(1, body)
    }

    mutating func addPacket(interface: UInt32 = 0, ticks: UInt64, _ packet: [UInt8]) {
        var body = CaptureBytes(isBigEndian: isBigEndian)
        body.add(interface, UInt32(ticks >> 32), UInt32(truncatingIfNeeded: ticks))
        body.add(UInt32(packet.count), UInt32(packet.count))
        body.bytes += packet
        addBlock(6, body)
    }
}
