// SPDX-License-Identifier: Apache-2.0

/// One packet of a capture.
package struct CapturedPacket: Equatable, Sendable {
    /// Counted from 1 over the whole file, as other tools count.
    package var number: Int
    /// Nanoseconds since 1970.
    package var time: UInt64
    package var linkType: LinkType
    /// Bytes on the wire; more than `bytes` holds if the capture was cut short.
    package var originalLength: Int
    package var bytes: [UInt8]

    package init(number: Int, time: UInt64, linkType: LinkType, originalLength: Int, bytes: [UInt8]) {
        self.number = number
        self.time = time
        self.linkType = linkType
        self.originalLength = originalLength
        self.bytes = bytes
    }
}

/// What a packet's bytes begin with, by its number in the registry of link types (pcap-linktype, draft-ietf-opsawg).
package struct LinkType: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt16

    package init(rawValue: UInt16) { self.rawValue = rawValue }

    /// BSD loopback: the address family in the byte order of the machine that captured.
    package static let null = LinkType(rawValue: 0)
    package static let ethernet = LinkType(rawValue: 1)
    /// IPv4 or IPv6, told by the version; three numbers for one thing, by platform.
    package static let raw = LinkType(rawValue: 101)
    package static let rawOld = LinkType(rawValue: 12)
    package static let rawOpenBSD = LinkType(rawValue: 14)
    /// OpenBSD loopback: the address family in network order.
    package static let loop = LinkType(rawValue: 108)
    /// Linux cooked capture, as of the device `any`.
    package static let cooked = LinkType(rawValue: 113)
    package static let cooked2 = LinkType(rawValue: 276)
    package static let ipv4 = LinkType(rawValue: 228)
    package static let ipv6 = LinkType(rawValue: 229)

    package static let supported: Set<LinkType> = [
        .null, .ethernet, .raw, .rawOld, .rawOpenBSD, .loop, .cooked, .cooked2, .ipv4, .ipv6,
    ]
}
