// SPDX-License-Identifier: Apache-2.0

/// Reads a capture in the pcap or the pcapng format, as it comes: bytes are appended in pieces of any size, packets taken out.
///
/// pcap: draft-ietf-opsawg-pcap (version 2, microseconds or nanoseconds, either byte order). pcapng: draft-ietf-opsawg-pcapng
/// (any number of sections and interfaces; blocks without packets are skipped). Memory is bounded by what was appended and by
/// one record, which may have `longestRecord` bytes.
package struct CaptureReader: Sendable {
    /// Longer records are taken for damage: other tools write no more than 256 KiB to a packet.
    package static let longestRecord = 1 << 24
    static let longestPacket = 1 << 18

    /// What has not been consumed lies from `position` on.
    private var bytes: [UInt8] = []
    private var position = 0
    /// Bytes consumed and removed from `bytes`.
    private var removed = 0
    private var format: Format?
    /// Packets taken out.
    package private(set) var packetCount = 0

    private enum Format {
        case pcap(PCAPFormat)
        case pcapng(PCAPNGFormat)
    }

    package init() {}

    /// What comes next in the file.
    package mutating func append(_ piece: some Collection<UInt8>) {
        if position > 0 {
            bytes.removeFirst(position)
            removed += position
            position = 0
        }
        bytes.append(contentsOf: piece)
    }

    /// The next packet; nil if more bytes are needed.
    package mutating func next() throws(CaptureError) -> CapturedPacket? {
        while true {
            do throws(RecordError) {
                guard let step = try step() else { return nil }
                position += step.length
                guard var packet = step.packet else { continue }
                packetCount += 1
                packet.number = packetCount
                return packet
            } catch {
                throw CaptureError(
                    packet: format == nil ? 0 : packetCount + 1, offset: removed + position, reason: error.reason)
            }
        }
    }

    /// To be asked when the file is at its end and `next` gives nothing more: a part of a record left over is an error.
    package func finish() throws(CaptureError) {
        let left = bytes.count - position
        guard left > 0 || format == nil else { return }
        guard format != nil else {
            throw CaptureError(packet: 0, offset: 0, reason: "the file ends within its header (\(left) bytes)")
        }
        throw CaptureError(
            packet: packetCount + 1, offset: removed + position,
            reason: "the file ends in the middle of a record, \(left) bytes after its begin")
    }

    private mutating func step() throws(RecordError) -> Step? {
        switch format {
        case .pcap(let pcap): return try pcap.step(bytes, position)
        case .pcapng(var pcapng):
            let step = try pcapng.step(bytes, position)
            format = .pcapng(pcapng)
            return step
        case nil: return try readHeader()
        }
    }

    private mutating func readHeader() throws(RecordError) -> Step? {
        guard bytes.count >= 4 else { return nil }
        if bytes.number32(at: 0, .big) == PCAPNGFormat.sectionHeader {
            format = .pcapng(PCAPNGFormat())
            return Step(length: 0)
        }
        if bytes[0] == 0x1f && bytes[1] == 0x8b {
            throw RecordError(reason: "this file is compressed (gzip); unpack it first")
        }
        if bytes.number32(at: 0, .little) == 0xfd2f_b528 {
            throw RecordError(reason: "this file is compressed (zstd); unpack it first")
        }
        guard bytes.count >= PCAPFormat.headerLength else {
            if PCAPFormat.byteOrder(bytes) == nil { throw RecordError.unknownFormat }
            return nil
        }
        format = .pcap(try PCAPFormat(header: bytes))
        return Step(length: PCAPFormat.headerLength)
    }
}

/// What one record gave: how long it is, and its packet if it holds one.
struct Step {
    var length: Int
    var packet: CapturedPacket?
}

/// Why a record cannot be read; the reader adds where.
struct RecordError: Error {
    var reason: String

    static let unknownFormat = RecordError(
        reason: "neither a pcap nor a pcapng file: its first four bytes are none of theirs")

    static func unsupported(_ type: LinkType) -> RecordError {
        RecordError(
            reason: "link type \(type.rawValue) is not read; known are Ethernet (1), Linux cooked (113, 276), raw IP"
                + " (12, 14, 101, 228, 229) and loopback (0, 108)")
    }
}
