// SPDX-License-Identifier: Apache-2.0

import CLinuxShim
import Glibc
import NetworkModel

extension NetworkLink {
    private static let fixedLength = 16  // struct ifinfomsg

    /// Reads RTM_NEWLINK or RTM_DELLINK; nil for another message, one too short, or a bridge port's own message.
    init?(_ message: NetlinkMessage) {
        let payload = message.payload
        // AF_BRIDGE messages tell about ports (their RTM_DELLINK means "left the bridge"), not about the device.
        guard Int(message.type) == RTM_NEWLINK || Int(message.type) == RTM_DELLINK,
            payload.count >= Self.fixedLength, payload.read8(at: 0) != UInt8(AF_BRIDGE)
        else { return nil }
        let flags = payload.read32(at: 8)
        var parts = LinkAttributes()
        for (type, value) in NetlinkAttributes(payload.dropFirst(Self.fixedLength)) { parts.take(type, value) }
        self.init(
            index: Int32(bitPattern: payload.read32(at: 4)), name: parts.name, kind: parts.kind, master: parts.master,
            peerIndex: parts.peerIndex, peerNamespaceID: parts.peerNamespaceID, hardwareAddress: parts.hardwareAddress,
            mtu: parts.mtu, isUp: flags & 1 != 0, isLoopback: flags & 8 != 0)  // IFF_UP, IFF_LOOPBACK
    }

    private struct LinkAttributes {
        var name = ""
        var kind: String?
        var master: Int32?
        var peerIndex: Int32?
        var peerNamespaceID: Int32?
        var hardwareAddress: [UInt8] = []
        var mtu: UInt32 = 0

        mutating func take(_ type: Int, _ value: ArraySlice<UInt8>) {
            switch type {
            case IFLA_IFNAME: name = value.zeroTerminatedText
            case IFLA_MASTER: master = Int32(bitPattern: value.read32(at: 0))
            case IFLA_LINK: peerIndex = Int32(bitPattern: value.read32(at: 0))
            case IFLA_LINK_NETNSID: peerNamespaceID = Int32(bitPattern: value.read32(at: 0))
            case IFLA_ADDRESS: hardwareAddress = Array(value)
            case IFLA_MTU: mtu = value.read32(at: 0)
            case IFLA_LINKINFO:
                kind = NetlinkAttributes(value).first { $0.type == IFLA_INFO_KIND }?.value.zeroTerminatedText
            default: break
            }
        }
    }
}

extension InterfaceAddress {
    private static let fixedLength = 8  // struct ifaddrmsg

    /// Reads RTM_NEWADDR or RTM_DELADDR; nil for another message or one without an IP address.
    init?(_ message: NetlinkMessage) {
        let payload = message.payload
        guard Int(message.type) == RTM_NEWADDR || Int(message.type) == RTM_DELADDR, payload.count >= Self.fixedLength
        else { return nil }
        var address: IPAddress?
        var local: IPAddress?
        for (type, value) in NetlinkAttributes(payload.dropFirst(Self.fixedLength)) {
            // On a point-to-point link IFA_ADDRESS is the peer's; IFA_LOCAL, where present, is always ours.
            if type == IFA_ADDRESS { address = IPAddress(networkBytes: value) }
            if type == IFA_LOCAL { local = IPAddress(networkBytes: value) }
        }
        guard let own = local ?? address else { return nil }
        self.init(
            linkIndex: Int32(bitPattern: payload.read32(at: 4)), address: own,
            prefixLength: Int(payload.read8(at: 1)), isLinkScoped: Int(payload.read8(at: 3)) == RT_SCOPE_LINK.rawValue)
    }
}

extension NeighbourEntry {
    private static let fixedLength = 12  // struct ndmsg

    /// Reads RTM_NEWNEIGH; nil for another message or one without an IP address.
    init?(_ message: NetlinkMessage) {
        let payload = message.payload
        guard Int(message.type) == RTM_NEWNEIGH, payload.count >= Self.fixedLength else { return nil }
        var address: IPAddress?
        var hardwareAddress: [UInt8] = []
        for (type, value) in NetlinkAttributes(payload.dropFirst(Self.fixedLength)) {
            if type == NDA_DST { address = IPAddress(networkBytes: value) }
            if type == NDA_LLADDR { hardwareAddress = Array(value) }
        }
        guard let address else { return nil }
        self.init(
            linkIndex: Int32(bitPattern: payload.read32(at: 4)), address: address, hardwareAddress: hardwareAddress,
            state: payload.read16(at: 8))
    }
}

extension IPAddress {
    /// Reads 4 or 16 bytes in network order; nil for another length.
    init?(networkBytes bytes: ArraySlice<UInt8>) {
        func number(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
        switch bytes.count {
        case 4: self.init(v4: UInt32(number(bytes)))
        case 16: self.init(high: number(bytes.prefix(8)), low: number(bytes.suffix(8)))
        default: return nil
        }
    }
}
