// SPDX-License-Identifier: Apache-2.0
import NetworkModel

/// A frame under construction: values chained, bytes at the end; lengths and checksums are right unless a test bends
/// them with `patch`.
struct Packet: Sendable {
    /// One 802.1Q (0x8100) or 802.1ad (0x88a8) tag.
    struct Tag: Sendable {
        var type: UInt16
        var id: UInt16
    }

    /// An IPv6 extension header; its first byte (the next header) is filled in when the packet is built.
    struct ExtensionHeader: Sendable {
        var number: UInt8
        var bytes: [UInt8]
    }

    /// What follows the IP header and its extension headers.
    struct Transport: Sendable {
        var number: UInt8
        var bytes: [UInt8]
        var checksum: Checksum
    }

    enum Checksum: Sendable {
        case none
        /// At this offset, with the pseudo header of the family.
        case withAddresses(Int)
        /// At this offset, over the bytes alone.
        case plain(Int)
        case sctp
    }

    private struct Patch: Sendable {
        var offset: Int
        var bytes: [UInt8]
    }

    private(set) var source: IPAddress
    private(set) var destination: IPAddress
    private var tags: [Tag] = []
    private var etherType: UInt16
    private var hopLimit: UInt8 = 64
    private var identification: UInt32 = 1
    private var optionBytes: [UInt8] = []
    private var extensionHeaders: [ExtensionHeader] = []
    private var transport = Transport(number: 59, bytes: [], checksum: .none)
    private var part: (range: Range<Int>, isLast: Bool)?
    private var payloadOfLink: [UInt8]?
    private var patches: [Patch] = []
    private var keptLength: Int?
    private var padding = 0
    private var isToUs = false

    /// An IP packet; both addresses are of one family.
    static func ip(_ source: IPAddress, to destination: IPAddress) -> Packet {
        Packet(source: source, destination: destination)
    }

    /// A frame of any other kind.
    static func frame(etherType: UInt16, payload: [UInt8]) -> Packet {
        var packet = Packet(source: IPAddress(v4: 0), destination: IPAddress(v4: 0))
        packet.etherType = etherType
        packet.payloadOfLink = payload
        return packet
    }

    private init(source: IPAddress, destination: IPAddress) {
        self.source = source
        self.destination = destination
        etherType = source.isIPv4 ? 0x0800 : 0x86dd
    }
}

// What a test may say about a packet. Each call returns a changed copy.
extension Packet {
    private func with(_ change: (inout Packet) -> Void) -> Packet {
        var copy = self
        change(&copy)
        return copy
    }

    func transport(_ number: UInt8, _ bytes: [UInt8], checksum: Checksum = .none) -> Packet {
        with { $0.transport = Transport(number: number, bytes: bytes, checksum: checksum) }
    }

    /// Adds an outer tag in front of those already there.
    func vlan(_ id: UInt16, type: UInt16 = 0x8100) -> Packet { with { $0.tags.insert(Tag(type: type, id: id), at: 0) } }

    func hopLimit(_ limit: UInt8) -> Packet { with { $0.hopLimit = limit } }

    /// IPv4 options; a multiple of four bytes.
    func options(_ bytes: [UInt8]) -> Packet { with { $0.optionBytes = bytes } }

    /// Appends an IPv6 extension header of so many bytes (hop-by-hop 0, routing 43, destination 60, mobility 135 …).
    func extensionHeader(_ number: UInt8, byteCount: Int = 8) -> Packet {
        // The authentication header counts in words of four bytes and less two, all others in eights and less one.
        let length = number == 51 ? byteCount / 4 - 2 : byteCount / 8 - 1
        let bytes = [0, UInt8(length)] + [UInt8](repeating: 0, count: byteCount - 2)
        return with { $0.extensionHeaders.append(ExtensionHeader(number: number, bytes: bytes)) }
    }

    /// Appends a fragment header that makes no fragment (RFC 8200 §4.5: an atomic fragment).
    func atomicFragmentHeader() -> Packet {
        with { $0.extensionHeaders.append(ExtensionHeader(number: 44, bytes: [0, 0, 0, 0, 0, 0, 0, 1])) }
    }

    /// Only this range of the transport bytes, as a fragment.
    func fragment(_ range: Range<Int>, id: UInt32 = 1, last: Bool = false) -> Packet {
        with {
            $0.part = (range, last)
            $0.identification = id
        }
    }

    /// Bytes after the end of the IP packet.
    func padded(_ count: Int) -> Packet { with { $0.padding = count } }

    /// Keeps only the first bytes of the frame.
    func truncated(to length: Int) -> Packet { with { $0.keptLength = length } }

    /// Overwrites bytes of the finished IP packet, counted from the IP header.
    func patch(_ offset: Int, _ bytes: [UInt8]) -> Packet {
        with { $0.patches.append(Patch(offset: offset, bytes: bytes)) }
    }

    /// A frame for the hardware address of the interface that packets run past, which is the loopback's.
    func toUs() -> Packet { with { $0.isToUs = true } }

    /// Overwrites the frame's type, the one after all tags.
    func etherType(_ type: UInt16) -> Packet { with { $0.etherType = type } }
}

// From the description to bytes.
extension Packet {
    /// The whole frame.
    var bytes: [UInt8] {
        let types = tags.map(\.type) + [etherType]
        let receiver: [UInt8] = isToUs ? [0, 0, 0, 0, 0, 0] : [2, 0, 0, 0, 0, 2]
        var frame = receiver + [2, 0, 0, 0, 0, 1] + types[0].networkOrder
        for (index, tag) in tags.enumerated() { frame += tag.id.networkOrder + types[index + 1].networkOrder }
        frame += networkBytes + [UInt8](repeating: 0, count: padding)
        return Array(frame.prefix(keptLength ?? frame.count))
    }

    /// Bytes of the IP packet, as counters and events have it.
    var ipLength: Int { networkBytes.count }

    /// From the IP header on.
    var networkBytes: [UInt8] {
        var bytes = payloadOfLink ?? (source.isIPv4 ? ipv4Bytes : ipv6Bytes)
        for patch in patches {
            bytes.replaceSubrange(patch.offset..<patch.offset + patch.bytes.count, with: patch.bytes)
        }
        return bytes
    }

    /// The transport header and payload with its checksum, before any fragmentation.
    var transportBytes: [UInt8] {
        var bytes = transport.bytes
        switch transport.checksum {
        case .none: return bytes
        case .plain(let offset):
            bytes.replaceSubrange(offset..<offset + 2, with: internetChecksum(bytes).networkOrder)
        case .withAddresses(let offset):
            let pseudoHeader =
                source.headerBytes + destination.headerBytes + UInt32(bytes.count).networkOrder
                + [0, 0, 0, transport.number]
            bytes.replaceSubrange(offset..<offset + 2, with: internetChecksum(pseudoHeader + bytes).networkOrder)
        case .sctp: bytes.replaceSubrange(8..<12, with: sctpChecksum(bytes))
        }
        return bytes
    }

    private var fragmentField: UInt16 {
        guard let part else { return 0 }
        return UInt16(part.range.lowerBound / 8)
    }

    private var carried: [UInt8] { part.map { Array(transportBytes[$0.range]) } ?? transportBytes }

    private var ipv4Bytes: [UInt8] {
        let headerLength = 20 + optionBytes.count
        let more: UInt16 = part.map { $0.isLast ? 0 : 0x2000 } ?? 0
        var header: [UInt8] = [0x40 | UInt8(headerLength / 4), 0]
        header += UInt16(headerLength + carried.count).networkOrder
        header += UInt16(truncatingIfNeeded: identification).networkOrder + (fragmentField | more).networkOrder
        header += [hopLimit, transport.number, 0, 0] + source.headerBytes + destination.headerBytes + optionBytes
        header.replaceSubrange(10..<12, with: internetChecksum(header).networkOrder)
        return header + carried
    }

    private var ipv6Bytes: [UInt8] {
        var headers = extensionHeaders
        if let part {
            let field = fragmentField << 3 | (part.isLast ? 0 : 1)
            headers.append(
                ExtensionHeader(number: 44, bytes: [0, 0] + field.networkOrder + identification.networkOrder))
        }
        let numbers = headers.map(\.number) + [transport.number]
        var payload: [UInt8] = []
        for (index, header) in headers.enumerated() { payload += [numbers[index + 1]] + header.bytes.dropFirst() }
        payload += carried
        return [0x60, 0, 0, 0] + UInt16(payload.count).networkOrder + [numbers[0], hopLimit] + source.headerBytes
            + destination.headerBytes + payload
    }
}
