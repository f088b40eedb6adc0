// SPDX-License-Identifier: Apache-2.0

/// What of a captured packet the datapath's parser takes.
package enum CapturedFrame: Equatable, Sendable {
    /// The bytes are an Ethernet frame.
    case ethernet
    /// A packet of the network layer begins `offset` bytes in.
    case network(etherType: UInt16, offset: Int)
    /// Too short for its link type's header, or of a protocol that is not told by an ethertype.
    case unknown
}

extension CapturedPacket {
    private enum EtherType {
        static let ipv4: UInt16 = 0x0800
        static let ipv6: UInt16 = 0x86dd
        static let tags: Set<UInt16> = [0x8100, 0x88a8]
    }

    /// Where the network layer begins.
    ///
    /// Tags behind a cooked header are skipped, two at most.
    package var frame: CapturedFrame {
        switch linkType {
        case .ethernet: .ethernet
        case .raw, .rawOld, .rawOpenBSD, .ipv4, .ipv6: rawFrame
        case .cooked: cookedFrame(header: 16, typeAt: 14)
        case .cooked2: cookedFrame(header: 20, typeAt: 0)
        case .null, .loop: loopbackFrame
        default: .unknown
        }
    }

    private var rawFrame: CapturedFrame {
        switch bytes.first.map({ $0 >> 4 }) {
        case 4: .network(etherType: EtherType.ipv4, offset: 0)
        case 6: .network(etherType: EtherType.ipv6, offset: 0)
        default: .unknown
        }
    }

    private func cookedFrame(header: Int, typeAt index: Int) -> CapturedFrame {
        guard bytes.count >= header else { return .unknown }
        var (type, offset) = (bytes.number16(at: index, .big), header)
        for _ in 0..<2 where EtherType.tags.contains(type) {
            guard bytes.count >= offset + 4 else { return .unknown }
            type = bytes.number16(at: offset + 2, .big)
            offset += 4
        }
        // Smaller numbers are lengths or Linux's own (netlink, CAN), not ethertypes.
        return type < 0x0600 ? .unknown : .network(etherType: type, offset: offset)
    }

    /// The family's numbers are those of the BSDs, macOS and Linux; small, so that the byte order shows.
    private var loopbackFrame: CapturedFrame {
        guard bytes.count >= 4 else { return .unknown }
        let number = bytes.number32(at: 0, .big)
        switch linkType == .null && number > 0xffff ? number.byteSwapped : number {
        case 2: return .network(etherType: EtherType.ipv4, offset: 4)
        case 10, 24, 28, 30: return .network(etherType: EtherType.ipv6, offset: 4)
        default: return .unknown
        }
    }
}
