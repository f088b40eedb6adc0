// SPDX-License-Identifier: Apache-2.0

/// One interface of a pcapng section: what its packets begin with, and how its clock counts.
struct PCAPNGInterface: Sendable {
    let linkType: LinkType
    /// Bytes kept of each packet.
    let snapLength: Int
    private var resolution: UInt8 = 6
    /// Seconds to add.
    private var offset: Int64 = 0

    private enum Option {
        static let end: UInt16 = 0
        static let resolution: UInt16 = 9
        static let offset: UInt16 = 14
    }

    /// From the body of an interface description block.
    init(_ bytes: [UInt8], _ body: Range<Int>, _ order: ByteOrder) throws(RecordError) {
        guard body.count >= 8 else { throw RecordError(reason: "an interface block of \(body.count) bytes") }
        linkType = LinkType(rawValue: bytes.number16(at: body.lowerBound, order))
        let snapLength = Int(bytes.number32(at: body.lowerBound + 4, order))
        self.snapLength = snapLength == 0 ? CaptureReader.longestPacket : snapLength
        var position = body.lowerBound + 8
        while body.upperBound - position >= 4 {
            let code = bytes.number16(at: position, order)
            let length = Int(bytes.number16(at: position + 2, order))
            if code == Option.end { return }
            guard body.upperBound - position - 4 >= length else {
                throw RecordError(reason: "an option of \(length) bytes that reaches beyond its interface block")
            }
            if code == Option.resolution, length >= 1 {
                resolution = bytes[position + 4]
            } else if code == Option.offset, length >= 8 {
                let (first, second) = (bytes.number32(at: position + 4, order), bytes.number32(at: position + 8, order))
                let (high, low) = order == .big ? (first, second) : (second, first)
                offset = Int64(bitPattern: UInt64(high) << 32 | UInt64(low))
            }
            position += 4 + (length + 3) / 4 * 4
        }
    }

    /// Nanoseconds since 1970 of a time stamp, saturating.
    func nanoseconds(_ ticks: UInt64) -> UInt64 {
        let (seconds, rest) = split(ticks)
        let (shifted, isBeyond) = Int64(clamping: seconds).addingReportingOverflow(offset)
        guard !isBeyond, shifted >= 0 else { return offset < 0 ? 0 : .max }
        let (whole, isTooMuch) = UInt64(shifted).multipliedReportingOverflow(by: 1_000_000_000)
        return isTooMuch ? .max : whole.addingReportingOverflow(rest).partialValue
    }

    /// Seconds and nanoseconds.
    ///
    /// The resolution is a negative power of ten, with its top bit set of two.
    private func split(_ ticks: UInt64) -> (seconds: UInt64, rest: UInt64) {
        let exponent = Int(resolution & 0x7f)
        let perSecond: UInt64
        if resolution & 0x80 != 0 {
            guard exponent < 64 else { return (0, 0) }
            perSecond = 1 << UInt64(exponent)
        } else {
            // 10^19 is the largest power of ten in 64 bits; finer clocks have not counted a second yet.
            guard exponent <= 19 else { return (0, 0) }
            perSecond = (0..<exponent).reduce(1) { power, _ in power * 10 }
        }
        let (seconds, rest) = ticks.quotientAndRemainder(dividingBy: perSecond)
        let product = rest.multipliedFullWidth(by: 1_000_000_000)
        return (seconds, perSecond.dividingFullWidth(product).quotient)
    }
}
