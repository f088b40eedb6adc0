// SPDX-License-Identifier: Apache-2.0

/// The pcapng format: blocks of a type, a length, a body and the length again.
struct PCAPNGFormat: Sendable {
    /// Reads the same in either byte order.
    static let sectionHeader: UInt32 = 0x0a0d_0d0a
    private static let interfacesMax = 4096

    private var order = ByteOrder.little
    private var interfaces: [PCAPNGInterface] = []
    /// Of the last packet that said it: simple packets do not.
    private var time: UInt64 = 0

    private enum BlockType {
        static let interface: UInt32 = 1
        static let packet: UInt32 = 2
        static let simplePacket: UInt32 = 3
        static let enhancedPacket: UInt32 = 6
    }

    /// The block at `position`; nil if it is not there as a whole.
    mutating func step(_ bytes: [UInt8], _ position: Int) throws(RecordError) -> Step? {
        guard bytes.count - position >= 12 else { return nil }
        if bytes.number32(at: position, .big) == PCAPNGFormat.sectionHeader {
            try beginSection(bytes, position)
        }
        let type = bytes.number32(at: position, order)
        let length = Int(bytes.number32(at: position + 4, order))
        guard length >= 12, length <= CaptureReader.longestRecord, length % 4 == 0 else {
            throw RecordError(
                reason: "a block of \(length) bytes; they have 12 to \(CaptureReader.longestRecord), in steps of 4")
        }
        guard bytes.count - position >= length else { return nil }
        let repeated = Int(bytes.number32(at: position + length - 4, order))
        guard repeated == length else {
            throw RecordError(reason: "a block says at its begin that it has \(length) bytes, at its end \(repeated)")
        }
        let body = position + 8..<position + length - 4
        switch type {
        case PCAPNGFormat.sectionHeader: try checkVersion(bytes, body)
        case BlockType.interface: try addInterface(bytes, body)
        case BlockType.packet, BlockType.simplePacket, BlockType.enhancedPacket:
            return Step(length: length, packet: try readPacket(bytes, body, type))
        default: break
        }
        return Step(length: length)
    }

    private mutating func beginSection(_ bytes: [UInt8], _ position: Int) throws(RecordError) {
        switch bytes.number32(at: position + 8, .little) {
        case 0x1a2b_3c4d: order = .little
        case 0x4d3c_2b1a: order = .big
        default: throw RecordError(reason: "a section whose byte order cannot be told")
        }
        interfaces = []
    }

    private func checkVersion(_ bytes: [UInt8], _ body: Range<Int>) throws(RecordError) {
        guard body.count >= 16 else { throw RecordError(reason: "a section header of \(body.count) bytes") }
        let version = bytes.number16(at: body.lowerBound + 4, order)
        guard version == 1 else { throw RecordError(reason: "pcapng version \(version) is not read, only 1") }
    }

    private mutating func addInterface(_ bytes: [UInt8], _ body: Range<Int>) throws(RecordError) {
        guard interfaces.count < PCAPNGFormat.interfacesMax else {
            throw RecordError(reason: "more than \(PCAPNGFormat.interfacesMax) interfaces in one section")
        }
        interfaces.append(try PCAPNGInterface(bytes, body, order))
    }

    /// The three kinds of packets differ in what stands before the bytes.
    private mutating func readPacket(
        _ bytes: [UInt8], _ body: Range<Int>, _ type: UInt32
    ) throws(RecordError) -> CapturedPacket {
        let isSimple = type == BlockType.simplePacket
        let begin = body.lowerBound + (isSimple ? 4 : 20)
        guard begin <= body.upperBound else { throw RecordError(reason: "a packet block of \(body.count) bytes") }
        let start = body.lowerBound
        let index =
            switch type {
            case BlockType.simplePacket: 0
            case BlockType.packet: Int(bytes.number16(at: start, order))
            default: Int(bytes.number32(at: start, order))
            }
        guard index < interfaces.count else {
            throw RecordError(reason: "a packet of interface \(index), of which no block tells")
        }
        let interface = interfaces[index]
        guard LinkType.supported.contains(interface.linkType) else { throw .unsupported(interface.linkType) }
        let original = Int(bytes.number32(at: isSimple ? start : start + 16, order))
        let captured: Int
        if isSimple {
            captured = min(original, interface.snapLength, body.upperBound - begin)
        } else {
            captured = Int(bytes.number32(at: start + 12, order))
            let ticks =
                UInt64(bytes.number32(at: start + 4, order)) << 32 | UInt64(bytes.number32(at: start + 8, order))
            time = interface.nanoseconds(ticks)
        }
        guard captured <= body.upperBound - begin, captured <= CaptureReader.longestPacket else {
            throw RecordError(
                reason: "a packet of \(captured) bytes in a block that has room for \(body.upperBound - begin)")
        }
        return CapturedPacket(
            number: 0, time: time, linkType: interface.linkType, originalLength: max(captured, original),
            bytes: Array(bytes[begin..<begin + captured]))
    }
}
