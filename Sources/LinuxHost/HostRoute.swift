// SPDX-License-Identifier: Apache-2.0

import CLinuxShim
import Glibc
package import NetworkModel

/// A route of the host: where packets to a prefix go.
package struct HostRoute: Hashable, Sendable {
    /// One way out.
    package struct Hop: Hashable, Sendable {
        /// Index of the device.
        package let device: Int32
        /// Who passes it on; nil if the destination is a neighbour.
        package let gateway: IPAddress?

        /// Makes a way out from its parts.
        package init(device: Int32, gateway: IPAddress? = nil) {
            self.device = device
            self.gateway = gateway
        }
    }

    package let destination: CIDR
    /// Routing table: 254 is `main`.
    package let table: UInt32
    /// True if the host takes such packets itself: its addresses, broadcasts, anycast.
    package let isOwn: Bool
    /// Empty if `isOwn`, and where the route refuses or swallows packets.
    package let hops: [Hop]

    /// Makes a route from its parts.
    package init(_ destination: CIDR, table: UInt32 = 254, isOwn: Bool = false, hops: [Hop] = []) {
        self.destination = destination
        self.table = table
        self.isOwn = isOwn
        self.hops = hops
    }
}

extension RouteSession {
    /// All IPv4 and IPv6 routes of all tables but multicast's: `ip route show table all`.
    ///
    /// A table that changes faster than it can be read comes as far as it was read.
    package func routes() throws(HostError) -> [HostRoute] {
        try dumpAnyway(RTM_GETROUTE, [UInt8](repeating: 0, count: 12), "routes").messages.compactMap(HostRoute.init)
    }
}

extension HostRoute {
    private static let fixedLength = 12  // struct rtmsg
    private static let nextHopLength = 8  // struct rtnexthop
    private static let cachedFlag: UInt32 = 0x200  // RTM_F_CLONED

    /// Reads RTM_NEWROUTE; nil for other messages, other families and routes that say nothing about unicast.
    init?(_ message: NetlinkMessage) {
        let payload = message.payload
        guard Int(message.type) == RTM_NEWROUTE, payload.count >= Self.fixedLength,
            payload.read32(at: 8) & Self.cachedFlag == 0
        else { return nil }
        let isIPv4 = payload.read8(at: 0) == UInt8(AF_INET)
        guard isIPv4 || payload.read8(at: 0) == UInt8(AF_INET6) else { return nil }
        let type = Int(payload.read8(at: 7))
        let isOwn = [RTN_LOCAL, RTN_BROADCAST, RTN_ANYCAST].contains(type)
        guard isOwn || [RTN_UNICAST, RTN_BLACKHOLE, RTN_UNREACHABLE, RTN_PROHIBIT].contains(type) else { return nil }
        var address: IPAddress? = isIPv4 ? IPAddress(v4: 0) : IPAddress(high: 0, low: 0)
        var table = UInt32(payload.read8(at: 4))
        var single = HopAttributes()
        var hops: [Hop] = []
        for (type, value) in NetlinkAttributes(payload.dropFirst(Self.fixedLength)) {
            switch UInt32(type) {
            case RTA_DST.rawValue: address = IPAddress(networkBytes: value)
            case RTA_TABLE.rawValue: table = value.read32(at: 0)
            case RTA_MULTIPATH.rawValue: hops = Self.hops(value)
            default: single.take(type, value)
            }
        }
        let length = Int(payload.read8(at: 1))
        guard let address, address.isIPv4 == isIPv4, length <= (isIPv4 ? 32 : 128) else { return nil }
        if let device = single.device { hops.append(Hop(device: device, gateway: single.gateway)) }
        self.init(
            CIDR(address, length: length), table: table, isOwn: isOwn,
            hops: type == RTN_UNICAST ? hops : [])
    }

    private struct HopAttributes {
        var device: Int32?
        var gateway: IPAddress?

        mutating func take(_ type: Int, _ value: ArraySlice<UInt8>) {
            switch UInt32(type) {
            case RTA_OIF.rawValue: device = Int32(bitPattern: value.read32(at: 0))
            case RTA_GATEWAY.rawValue: gateway = IPAddress(networkBytes: value)
            // A gateway of another family than the destination's (RFC 5549): family, then address.
            case RTA_VIA.rawValue: gateway = IPAddress(networkBytes: value.dropFirst(2))
            default: break
            }
        }
    }

    private static func hops(_ bytes: ArraySlice<UInt8>) -> [Hop] {
        var rest = bytes
        var hops: [Hop] = []
        while rest.count >= nextHopLength {
            let length = Int(rest.read16(at: 0))
            guard length >= nextHopLength, length <= rest.count else { break }
            var parts = HopAttributes()
            for (type, value) in NetlinkAttributes(rest.prefix(length).dropFirst(nextHopLength)) {
                parts.take(type, value)
            }
            hops.append(Hop(device: Int32(bitPattern: rest.read32(at: 4)), gateway: parts.gateway))
            rest = rest.dropFirst((length + 3) & ~3)
        }
        return hops
    }
}
