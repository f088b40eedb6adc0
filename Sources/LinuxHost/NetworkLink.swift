// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// A network device as one namespace sees it.
package struct NetworkLink: Hashable, Sendable {
    /// Its number; unique within its namespace only.
    package let index: Int32
    package let name: String
    /// The driver's kind: `veth`, `bridge`, `vxlan` …; nil for hardware and loopback.
    package let kind: String?
    /// Index of the bridge or bond it is enslaved to.
    package let master: Int32?
    /// Index of the device it is bound to: for a veth its other end, for a VLAN or macvlan the device below.
    package let peerIndex: Int32?
    /// Where `peerIndex` counts, if not in this namespace: this namespace's number for that other one.
    package let peerNamespaceID: Int32?
    /// The hardware address, 6 bytes for Ethernet, else empty.
    package let hardwareAddress: [UInt8]
    package let mtu: UInt32
    /// Administratively up (IFF_UP).
    package let isUp: Bool
    package let isLoopback: Bool

    /// Makes a link from its parts.
    package init(
        index: Int32, name: String, kind: String? = nil, master: Int32? = nil, peerIndex: Int32? = nil,
        peerNamespaceID: Int32? = nil, hardwareAddress: [UInt8] = [], mtu: UInt32 = 1500, isUp: Bool = true,
        isLoopback: Bool = false
    ) {
        self.index = index
        self.name = name
        self.kind = kind
        self.master = master
        self.peerIndex = peerIndex
        self.peerNamespaceID = peerNamespaceID
        self.hardwareAddress = hardwareAddress
        self.mtu = mtu
        self.isUp = isUp
        self.isLoopback = isLoopback
    }
}

/// An address on a device.
package struct InterfaceAddress: Hashable, Sendable {
    /// Index of the device.
    package let linkIndex: Int32
    package let address: IPAddress
    /// Length of the on-link prefix.
    package let prefixLength: Int
    /// IPv6 link-local or IPv4 169.254/16 with link scope: valid on its own link only.
    package let isLinkScoped: Bool

    /// Makes an address from its parts.
    package init(linkIndex: Int32, address: IPAddress, prefixLength: Int, isLinkScoped: Bool = false) {
        self.linkIndex = linkIndex
        self.address = address
        self.prefixLength = prefixLength
        self.isLinkScoped = isLinkScoped
    }
}

/// An entry of the neighbour (ARP, ND) table.
package struct NeighbourEntry: Hashable, Sendable {
    package let linkIndex: Int32
    package let address: IPAddress
    /// Empty while the address is not resolved.
    package let hardwareAddress: [UInt8]
    /// `NUD_*` bits.
    package let state: UInt16
}

/// All links and addresses of a namespace at one time.
package struct NetworkSnapshot: Hashable, Sendable {
    package var links: [NetworkLink]
    package var addresses: [InterfaceAddress]

    /// Makes a snapshot from its parts.
    package init(links: [NetworkLink] = [], addresses: [InterfaceAddress] = []) {
        self.links = links
        self.addresses = addresses
    }

    /// The addresses of one link.
    package func addresses(ofLink index: Int32) -> [InterfaceAddress] {
        addresses.filter { $0.linkIndex == index }
    }
}
