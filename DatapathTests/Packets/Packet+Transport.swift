// SPDX-License-Identifier: Apache-2.0
import NetworkModel

/// Flags of a TCP header.
struct TCPFlags: OptionSet, Sendable {
    let rawValue: UInt8

    static let fin = TCPFlags(rawValue: 0x01)
    static let syn = TCPFlags(rawValue: 0x02)
    static let rst = TCPFlags(rawValue: 0x04)
    static let psh = TCPFlags(rawValue: 0x08)
    static let ack = TCPFlags(rawValue: 0x10)
    static let synAck: TCPFlags = [.syn, .ack]
    static let finAck: TCPFlags = [.fin, .ack]
}

/// Chunk types of SCTP.
enum SCTPChunk: UInt8, Sendable {
    case data = 0
    case initiate = 1
    case initiateAck = 2
    case abort = 6
    case cookieEcho = 10
    case shutdownComplete = 14
}

extension Packet {
    func tcp(_ source: UInt16, _ destination: UInt16, _ flags: TCPFlags, payload: Int = 0) -> Packet {
        let header =
            source.networkOrder + destination.networkOrder + [0, 0, 0, 1, 0, 0, 0, 2, 0x50, flags.rawValue, 0x20, 0]
            + [0, 0, 0, 0]
        return transport(6, header + filler(payload), checksum: .withAddresses(16))
    }

    func udp(_ source: UInt16, _ destination: UInt16, payload: Int = 8) -> Packet {
        let header =
            source.networkOrder + destination.networkOrder + UInt16(8 + payload).networkOrder + [0, 0]
        return transport(17, header + filler(payload), checksum: .withAddresses(6))
    }

    func udp(_ source: UInt16, _ destination: UInt16, bytes: [UInt8]) -> Packet {
        let header =
            source.networkOrder + destination.networkOrder + UInt16(8 + bytes.count).networkOrder + [0, 0]
        return transport(17, header + bytes, checksum: .withAddresses(6))
    }

    func tcp(_ source: UInt16, _ destination: UInt16, bytes: [UInt8], sequence: UInt32 = 1) -> Packet {
        let header =
            source.networkOrder + destination.networkOrder + sequence.networkOrder
            + [0, 0, 0, 2, 0x50, 0x18, 0x20, 0, 0, 0, 0, 0]
        return transport(6, header + bytes, checksum: .withAddresses(16))
    }

    func sctp(_ source: UInt16, _ destination: UInt16, _ chunk: SCTPChunk) -> Packet {
        let header = source.networkOrder + destination.networkOrder + [0, 0, 0, 7, 0, 0, 0, 0]
        return transport(132, header + [chunk.rawValue, 0, 0, 4], checksum: .sctp)
    }

    /// ICMP or ICMPv6, by the packet's family; `rest` is the second word of the header.
    func icmp(_ type: UInt8, code: UInt8 = 0, rest: UInt32 = 0, body: [UInt8] = []) -> Packet {
        let bytes = [type, code, 0, 0] + rest.networkOrder + body
        return transport(
            source.isIPv4 ? 1 : 58, bytes, checksum: source.isIPv4 ? .plain(2) : .withAddresses(2))
    }

    func echoRequest(_ identifier: UInt16, payload: Int = 8) -> Packet {
        icmp(source.isIPv4 ? 8 : 128, rest: UInt32(identifier) << 16 | 1, body: filler(payload))
    }

    func echoReply(_ identifier: UInt16) -> Packet {
        icmp(source.isIPv4 ? 0 : 129, rest: UInt32(identifier) << 16 | 1, body: filler(8))
    }

    /// An error that quotes the beginning of another packet; all of it by default.
    func error(_ type: UInt8, code: UInt8 = 0, quoting packet: Packet, byteCount: Int = .max) -> Packet {
        icmp(type, code: code, body: Array(packet.networkBytes.prefix(byteCount)))
    }

    /// A GRE packet (protocol 47) around nothing of interest.
    func gre(payload: Int = 8) -> Packet { transport(47, [0, 0, 0x08, 0] + filler(payload)) }

    private func filler(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0) } }
}
