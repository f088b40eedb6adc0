// SPDX-License-Identifier: Apache-2.0

/// The pcap format: a header of 24 bytes, then records of 16 bytes and a packet.
struct PCAPFormat: Sendable {
    static let headerLength = 24
    private static let recordLength = 16

    private let order: ByteOrder
    private let nanosecondsPerTick: UInt64
    private let linkType: LinkType

    /// By the first four bytes; nil if they are none of the format's.
    static func byteOrder(_ bytes: [UInt8]) -> (order: ByteOrder, nanosecondsPerTick: UInt64)? {
        for order in [ByteOrder.little, .big] {
            switch bytes.number32(at: 0, order) {
            case 0xa1b2_c3d4: return (order, 1000)
            case 0xa1b2_3c4d: return (order, 1)
            default: continue
            }
        }
        return nil
    }

    /// From the file's first 24 bytes.
    init(header bytes: [UInt8]) throws(RecordError) {
        guard let (order, nanosecondsPerTick) = PCAPFormat.byteOrder(bytes) else { throw .unknownFormat }
        let version = bytes.number16(at: 4, order)
        guard version == 2 else { throw RecordError(reason: "pcap version \(version) is not read, only 2") }
        self.order = order
        self.nanosecondsPerTick = nanosecondsPerTick
        // The upper half tells of checksums behind the frames.
        self.linkType = LinkType(rawValue: UInt16(truncatingIfNeeded: bytes.number32(at: 20, order)))
        guard LinkType.supported.contains(linkType) else { throw .unsupported(linkType) }
    }

    /// The record at `position`; nil if it is not there as a whole.
    func step(_ bytes: [UInt8], _ position: Int) throws(RecordError) -> Step? {
        guard bytes.count - position >= PCAPFormat.recordLength else { return nil }
        let captured = Int(bytes.number32(at: position + 8, order))
        guard captured <= CaptureReader.longestPacket else {
            throw RecordError(reason: "a packet of \(captured) bytes; the longest possible are 262144")
        }
        let begin = position + PCAPFormat.recordLength
        guard bytes.count - begin >= captured else { return nil }
        let seconds = UInt64(bytes.number32(at: position, order))
        let ticks = UInt64(bytes.number32(at: position + 4, order))
        let packet = CapturedPacket(
            number: 0, time: seconds * 1_000_000_000 + ticks * nanosecondsPerTick, linkType: linkType,
            originalLength: max(captured, Int(bytes.number32(at: position + 12, order))),
            bytes: Array(bytes[begin..<begin + captured]))
        return Step(length: PCAPFormat.recordLength + captured, packet: packet)
    }
}
