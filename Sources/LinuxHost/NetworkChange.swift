// SPDX-License-Identifier: Apache-2.0

import CLinuxShim

/// One change of a namespace's links or addresses.
package enum NetworkChange: Hashable, Sendable {
    /// A link is new or differs from before.
    case linkSet(NetworkLink)
    /// A link is gone: deleted or moved to another namespace.
    case linkRemoved(index: Int32)
    case addressSet(InterfaceAddress)
    case addressRemoved(InterfaceAddress)

    /// Reads the changes in a datagram of notifications; other messages are passed over.
    static func decode(_ datagram: [UInt8]) throws(HostError) -> [NetworkChange] {
        var changes: [NetworkChange] = []
        for message in try NetlinkMessage.split(datagram) {
            switch Int(message.type) {
            case RTM_NEWLINK: if let link = NetworkLink(message) { changes.append(.linkSet(link)) }
            case RTM_DELLINK: if let link = NetworkLink(message) { changes.append(.linkRemoved(index: link.index)) }
            case RTM_NEWADDR: if let address = InterfaceAddress(message) { changes.append(.addressSet(address)) }
            case RTM_DELADDR: if let address = InterfaceAddress(message) { changes.append(.addressRemoved(address)) }
            default: break
            }
        }
        return changes
    }
}

/// What a subscriber gets: everything first, then what changes.
package enum NetworkUpdate: Hashable, Sendable {
    /// The whole state. Sent first, and again whenever notifications were lost: it replaces what is known.
    case snapshot(NetworkSnapshot)
    /// Changes in order, of about the same moment.
    case changes([NetworkChange])
}

extension NetworkSnapshot {
    /// Brings the state up to date.
    package mutating func apply(_ update: NetworkUpdate) {
        switch update {
        case .snapshot(let snapshot): self = snapshot
        case .changes(let changes): for change in changes { apply(change) }
        }
    }

    private mutating func apply(_ change: NetworkChange) {
        switch change {
        case .linkSet(let link):
            if let position = links.firstIndex(where: { $0.index == link.index }) {
                links[position] = link
            } else {
                links.append(link)
            }
        case .linkRemoved(let index):
            links.removeAll { $0.index == index }
            addresses.removeAll { $0.linkIndex == index }
        case .addressSet(let address):
            addresses.removeAll { $0.linkIndex == address.linkIndex && $0.address == address.address }
            addresses.append(address)
        case .addressRemoved(let address):
            addresses.removeAll { $0.linkIndex == address.linkIndex && $0.address == address.address }
        }
    }
}
