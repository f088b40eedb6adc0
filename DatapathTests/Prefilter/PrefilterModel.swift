// SPDX-License-Identifier: Apache-2.0
import CDatapathABI
import NetworkModel

/// What the prefilter does with a frame, written from its description and with loops, nothing shared with the kernel's code.
struct PrefilterModel: Sendable {
    enum Answer: Hashable, Sendable {
        case pass
        case notIP
        case drop(Int)
    }

    var denied: [CIDR] = []
    var allowed: [CIDR] = []
    var blocked: [CIDR] = []

    func answer(_ frame: [UInt8]) -> Answer {
        var reading = FrameReading(frame: frame)
        // Of such frames no more than the source is read.
        if let source = reading.plainSource, denied.contains(where: { $0.contains(source) }),
            !allowed.contains(where: { $0.contains(source) })
        {
            return Answer.drop(DROP_SHIELD_FEED)
        }
        if let early = reading.read() { return early }
        if reading.source == reading.destination { return Answer.drop(DROP_SHIELD_LAND) }
        if reading.isMartian { return Answer.drop(DROP_SHIELD_MARTIAN) }
        if reading.isAmongNeighbours { return .pass }
        let source = reading.sourceAddress
        if allowed.contains(where: { $0.contains(source) }) { return .pass }
        if denied.contains(where: { $0.contains(source) }) { return Answer.drop(DROP_SHIELD_FEED) }
        return blocked.contains { $0.contains(source) } ? Answer.drop(DROP_SHIELD_BLOCK) : .pass
    }
}

/// Reads a frame field by field.
private struct FrameReading {
    let frame: [UInt8]
    /// Where the IP packet begins and ends in the frame.
    private var start = 14
    private var end = 0
    private var isIPv4 = true
    private(set) var source: [UInt8] = []
    private(set) var destination: [UInt8] = []
    private var hopLimit: UInt8 = 0
    private var number: UInt8 = 0
    /// Where the transport header begins.
    private var transport = 0
    private var isFragment = false
    private var isLaterFragment = false
    private var isLengthMissing = false

    init(frame: [UInt8]) { self.frame = frame }

    var sourceAddress: IPAddress {
        isIPv4
            ? IPAddress(v4: source.reduce(0) { $0 << 8 | UInt32($1) })
            : IPAddress(
                high: source[..<8].reduce(0) { $0 << 8 | UInt64($1) },
                low: source[8...].reduce(0) { $0 << 8 | UInt64($1) })
    }

    /// Of an untagged frame with UDP or TCP right behind the IP header, whatever else is wrong with it.
    var plainSource: IPAddress? {
        guard frame.count >= 42 else { return nil }
        if word(12) == 0x0800, frame[14] == 0x45, [6, 17].contains(frame[23]) {
            return IPAddress(v4: frame[26..<30].reduce(0) { $0 << 8 | UInt32($1) })
        }
        guard word(12) == 0x86dd, frame[14] >> 4 == 6, [6, 17].contains(frame[20]) else { return nil }
        return IPAddress(
            high: frame[22..<30].reduce(0) { $0 << 8 | UInt64($1) },
            low: frame[30..<38].reduce(0) { $0 << 8 | UInt64($1) })
    }

    private func word(_ at: Int) -> Int { Int(frame[at]) << 8 | Int(frame[at + 1]) }

    private func drop(_ reason: Int) -> PrefilterModel.Answer { .drop(reason) }

    /// Nil if the packet is well formed.
    mutating func read() -> PrefilterModel.Answer? {
        guard frame.count >= 14 else { return drop(DROP_TRUNCATED) }
        var type = word(12)
        for _ in 0..<2 where type == 0x8100 || type == 0x88a8 {
            guard frame.count >= start + 4 else { return drop(DROP_TRUNCATED) }
            type = word(start + 2)
            start += 4
        }
        switch type {
        case 0x8100, 0x88a8: return drop(DROP_VLAN_DEPTH)
        case 0x0800: return readIPv4() ?? readTransport() ?? checkLengths()
        case 0x86dd: return readIPv6() ?? readTransport() ?? checkLengths()
        default: return .notIP
        }
    }

    private mutating func readIPv4() -> PrefilterModel.Answer? {
        guard frame.count >= start + 20 else { return drop(DROP_TRUNCATED) }
        let header = Int(frame[start] & 15) * 4, total = word(start + 2)
        guard frame[start] >> 4 == 4, header >= 20, total == 0 || total >= header else { return drop(DROP_IP_HEADER) }
        guard start + total <= frame.count else { return drop(DROP_TRUNCATED) }
        isLengthMissing = total == 0
        end = total == 0 ? frame.count : start + total
        source = Array(frame[(start + 12)..<(start + 16)])
        destination = Array(frame[(start + 16)..<(start + 20)])
        hopLimit = frame[start + 8]
        number = frame[start + 9]
        transport = start + header
        guard number != 58 else { return drop(DROP_PROTOCOL) }
        let field = word(start + 6)
        return note(offset: (field & 0x1fff) * 8, hasMore: field & 0x2000 != 0, size: end - start - header)
    }

    private mutating func note(offset: Int, hasMore: Bool, size: Int) -> PrefilterModel.Answer? {
        guard offset > 0 || hasMore else { return nil }
        guard offset + size <= 65535, offset != 8 else { return drop(DROP_FRAGMENT_MALFORMED) }
        isFragment = true
        isLaterFragment = offset > 0
        return nil
    }

    private mutating func readIPv6() -> PrefilterModel.Answer? {
        isIPv4 = false
        guard frame.count >= start + 40 else { return drop(DROP_TRUNCATED) }
        guard frame[start] >> 4 == 6 else { return drop(DROP_IP_HEADER) }
        let payload = word(start + 4)
        guard payload == 0 || start + 40 + payload <= frame.count else { return drop(DROP_TRUNCATED) }
        isLengthMissing = payload == 0 && frame[start + 6] != 59
        end = payload == 0 ? frame.count : start + 40 + payload
        source = Array(frame[(start + 8)..<(start + 24)])
        destination = Array(frame[(start + 24)..<(start + 40)])
        hopLimit = frame[start + 7]
        let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]
        guard !source.starts(with: mapped), !destination.starts(with: mapped) else { return drop(DROP_IP_HEADER) }
        transport = start + 40
        return readExtensions(first: frame[start + 6])
    }

    private mutating func readExtensions(first: UInt8) -> PrefilterModel.Answer? {
        var next = first
        for _ in 0...6 {
            guard [0, 43, 60, 135, 139, 140, 51, 44].contains(next) else {
                number = next
                return next == 1 ? drop(DROP_PROTOCOL) : nil
            }
            guard transport <= 512, transport + 8 <= min(end, frame.count) else { return drop(DROP_TRUNCATED) }
            var size = (Int(frame[transport + 1]) + 1) * 8
            if next == 51 { size = (Int(frame[transport + 1]) + 2) * 4 }
            if next == 44 {
                guard !isFragment else { return drop(DROP_EXTENSION_HEADERS) }
                size = 8
                let field = word(transport + 2)
                let room = end - transport - 8
                if let fault = note(offset: field & 0xfff8, hasMore: field & 1 != 0, size: room) { return fault }
                if isLaterFragment {
                    number = frame[transport]
                    return nil
                }
            }
            next = frame[transport]
            transport += size
            guard transport <= 512 else { return drop(DROP_EXTENSION_HEADERS) }
        }
        return drop(DROP_EXTENSION_HEADERS)
    }

    private func readTransport() -> PrefilterModel.Answer? {
        guard !isLaterFragment else { return nil }
        let need: [UInt8: Int] = [6: 20, 17: 8, 132: 13, 1: 8, 58: 8]
        guard let size = need[number] else { return nil }
        let isShort = transport > 512 || transport + size > min(end, frame.count)
        let isICMP = number == 1 || number == 58
        if isShort || (number == 6 && frame[transport + 12] >> 4 < 5) {
            return drop(isICMP ? DROP_ICMP_MALFORMED : isFragment ? DROP_FRAGMENT_MALFORMED : DROP_TRUNCATED)
        }
        guard number == 6 else { return nil }
        let flags = frame[transport + 13]
        // FIN 1, SYN 2, RST 4, ACK 16.
        let isNonsense = flags & 0x17 == 0 || (flags & 2 != 0 && flags & 5 != 0)
        return isNonsense ? drop(DROP_TCP_FLAGS) : nil
    }

    private func checkLengths() -> PrefilterModel.Answer? {
        if isLengthMissing { return drop(DROP_IP_HEADER) }
        guard !isLaterFragment else { return nil }
        let room = end - transport
        if number == 6 {
            let isTooLong = !isFragment && Int(frame[transport + 12] >> 4) * 4 > room
            if isTooLong || word(transport) == 0 || word(transport + 2) == 0 { return drop(DROP_SHIELD_TRANSPORT) }
            return frame[transport + 13] & 0x11 == 1 ? drop(DROP_TCP_FLAGS) : nil
        }
        guard number == 17 else { return nil }
        let length = word(transport + 4)
        let isWrong = word(transport + 2) == 0 || length < 8 || (!isFragment && length > room)
        return isWrong ? drop(DROP_SHIELD_TRANSPORT) : nil
    }

    var isMartian: Bool {
        if isIPv4 {
            let isDHCP = number == 17 && !isLaterFragment && word(transport + 2) == 67
            if source == [0, 0, 0, 0] { return !isDHCP }
            return source[0] == 0 || source[0] == 127 || source[0] >= 224
        }
        if source.allSatisfy({ $0 == 0 }) { return number != 58 }
        return source[0] == 0xff || (source[..<15].allSatisfy { $0 == 0 } && source[15] == 1)
    }

    /// Neighbour discovery and group membership as the RFCs want them.
    var isAmongNeighbours: Bool {
        guard !isLaterFragment else { return false }
        let isToGroup = hopLimit == 1 && (isIPv4 ? destination[0] >> 4 == 14 : destination[0] == 0xff)
        if number == 2 { return isToGroup }
        guard number == 58 else { return false }
        let type = frame[transport]
        return ((133...137).contains(type) && hopLimit == 255) || ([130, 131, 132, 143].contains(type) && isToGroup)
    }
}
