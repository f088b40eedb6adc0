// SPDX-License-Identifier: Apache-2.0

import CBenchSupport
import NetworkModel

/// The smallest UDP frame over IPv4, as it enters the router from one of its two sides.
struct GeneratedFrame {
    let bytes: [UInt8]

    /// From the client's first generated port to `port` of the server.
    static func toServer(port: UInt16) -> GeneratedFrame {
        GeneratedFrame(
            sourceMAC: Topology.clientMAC, destinationMAC: Topology.routerClientMAC, source: Topology.clientAddress,
            destination: Topology.serverAddress, sourcePort: UInt16(GENERATOR_FIRST_PORT), destinationPort: port)
    }

    /// The answer to `toServer`.
    static func toClient(port: UInt16) -> GeneratedFrame {
        GeneratedFrame(
            sourceMAC: Topology.serverMAC, destinationMAC: Topology.routerServerMAC, source: Topology.serverAddress,
            destination: Topology.clientAddress, sourcePort: port, destinationPort: UInt16(GENERATOR_FIRST_PORT))
    }

    /// Sum of the IPv4 header's words as the machine reads them, without source and checksum.
    var headerSum: UInt32 {
        var sum: UInt32 = 0
        for offset in stride(from: 14, to: 34, by: 2) where offset != 24 && offset != 26 && offset != 28 {
            sum += UInt32(bytes[offset]) | UInt32(bytes[offset + 1]) << 8
        }
        return sum
    }

    private init(
        sourceMAC: String, destinationMAC: String, source: String, destination: String, sourcePort: UInt16,
        destinationPort: UInt16
    ) {
        var frame = PacketBytes.numbers(destinationMAC, separator: ":", radix: 16)
        frame += PacketBytes.numbers(sourceMAC, separator: ":", radix: 16)
        frame += [0x08, 0x00]
        let payload = Int(GENERATOR_FRAME_BYTES) - 42
        frame += PacketBytes.ipv4Header(
            source: PacketBytes.numbers(source, separator: ".", radix: 10),
            destination: PacketBytes.numbers(destination, separator: ".", radix: 10), protocolNumber: 17,
            payloadLength: 8 + payload)
        frame += PacketBytes.big(sourcePort) + PacketBytes.big(destinationPort)
        // Checksum 0: none; the generator changes ports without having to mend it.
        frame += PacketBytes.big(UInt16(8 + payload)) + [0, 0]
        frame += [UInt8](repeating: 0, count: payload)
        bytes = frame
    }
}

/// Builds headers byte by byte.
enum PacketBytes {
    static func big(_ value: UInt16) -> [UInt8] {
        [UInt8(value >> 8), UInt8(truncatingIfNeeded: value)]
    }

    static func numbers(_ text: String, separator: Character, radix: Int) -> [UInt8] {
        text.split(separator: separator).compactMap { UInt8($0, radix: radix) }
    }

    /// The 16 bytes of an address in network order, IPv4 mapped.
    static func mapped(_ address: IPAddress) -> [UInt8] {
        [address.high, address.low].flatMap { word in
            stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: word >> UInt64($0)) }
        }
    }

    static func ipv4Header(
        source: [UInt8], destination: [UInt8], protocolNumber: UInt8, payloadLength: Int
    ) -> [UInt8] {
        var header: [UInt8] = [0x45, 0] + big(UInt16(20 + payloadLength)) + [0, 0, 0x40, 0, 64, protocolNumber, 0, 0]
        header += source + destination
        let sum = checksum(header)
        header[10] = UInt8(sum >> 8)
        header[11] = UInt8(truncatingIfNeeded: sum)
        return header
    }

    static func ipv6Header(
        source: [UInt8], destination: [UInt8], nextHeader: UInt8, payloadLength: Int
    ) -> [UInt8] {
        [0x60, 0, 0, 0] + big(UInt16(payloadLength)) + [nextHeader, 64] + source + destination
    }

    /// A bare TCP header; the data path does not look at its checksum.
    static func tcpHeader(source: UInt16, destination: UInt16, flags: UInt8) -> [UInt8] {
        big(source) + big(destination) + [0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]
    }

    private static func checksum(_ bytes: [UInt8]) -> UInt16 {
        var sum: UInt32 = 0
        for index in stride(from: 0, to: bytes.count, by: 2) {
            sum += UInt32(bytes[index]) << 8 | UInt32(bytes[index + 1])
        }
        sum = (sum & 0xffff) + (sum >> 16)
        return ~UInt16(truncatingIfNeeded: (sum & 0xffff) + (sum >> 16))
    }
}
