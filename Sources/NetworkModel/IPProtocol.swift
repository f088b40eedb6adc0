// SPDX-License-Identifier: Apache-2.0

/// An IP protocol number as it stands in the header (IANA assigned numbers).
package struct IPProtocol: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let icmp = IPProtocol(rawValue: 1)
    package static let tcp = IPProtocol(rawValue: 6)
    package static let udp = IPProtocol(rawValue: 17)
    package static let icmpv6 = IPProtocol(rawValue: 58)
    package static let sctp = IPProtocol(rawValue: 132)
}

/// As seen from the endpoint: egress is what it sends, ingress is what reaches it; raw values are the kernel's.
package enum Direction: UInt8, Hashable, Sendable, CaseIterable {
    case egress = 0
    case ingress = 1
}
