// SPDX-License-Identifier: Apache-2.0

import NetworkModel
package import PolicyReading

/// The first packet of a probe as an Ethernet frame: TCP SYN, SCTP INIT, a datagram, an ICMP message of its type.
///
/// Checksums are zero: the datapath leaves them to those who receive the packet.
package struct ProbePacket {
    private let probe: PolicyTest.Probe

    package init(_ probe: PolicyTest.Probe) { self.probe = probe }

    /// The frame's bytes.
    package var bytes: [UInt8] {
        // To the loopback interface's own address: what is forwarded is sent to the host's.
        [0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1] + network(isIPv4 ? 0x0800 : 0x86dd)
            + packet(probe.proto.rawValue, from: probe.source.address, to: probe.destination.address, transport)
    }

    private var isIPv4: Bool { probe.source.address.isIPv4 }

    /// A client's port that is never the server's: equal ones would leave open who asks.
    private var clientPort: UInt16 { probe.port == 49_152 ? 49_153 : 49_152 }

    private var transport: [UInt8] {
        let ports = network(clientPort) + network(probe.port)
        switch probe.proto {
        case .tcp: return ports + [0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0x20, 0, 0, 0, 0, 0]
        case .udp: return ports + [0, 16, 0, 0] + zeros(8)
        case .sctp:
            let initiate: [UInt8] = [1, 0, 0, 20, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1]
            return ports + zeros(8) + initiate
        case .icmp, .icmpv6: return [UInt8(probe.port >> 8), UInt8(probe.port & 0xff), 0, 0] + [0, 7, 0, 1] + quoted
        default: return zeros(8)
        }
    }

    /// What an ICMP error is about: a datagram of its receiver that nobody has sent.
    ///
    /// Other messages have a payload.
    private var quoted: [UInt8] {
        let type = probe.port >> 8
        let isError = probe.proto == .icmp ? [3, 11, 12].contains(type) : (1...4).contains(type)
        guard isError else { return zeros(8) }
        let datagram = network(49_152) + network(9) + [0, 16, 0, 0] + zeros(8)
        return packet(
            IPProtocol.udp.rawValue, from: probe.destination.address, to: probe.source.address, datagram)
    }

    private func packet(_ proto: UInt8, from source: IPAddress, to destination: IPAddress, _ payload: [UInt8])
        -> [UInt8]
    {
        guard isIPv4 else {
            return [0x60, 0, 0, 0] + network(UInt16(payload.count)) + [proto, 64] + bytes(of: source)
                + bytes(of: destination) + payload
        }
        return [0x45, 0] + network(UInt16(20 + payload.count)) + [0, 1, 0, 0, 64, proto, 0, 0] + bytes(of: source)
            + bytes(of: destination) + payload
    }

    private func bytes(of address: IPAddress) -> [UInt8] {
        guard address.isIPv4 else {
            return (0..<8).map { byte in
                UInt8(truncatingIfNeeded: address.high >> UInt64(56 - 8 * byte))
            } + (0..<8).map { byte in UInt8(truncatingIfNeeded: address.low >> UInt64(56 - 8 * byte)) }
        }
        return network(UInt16(address.v4Bits >> 16)) + network(UInt16(address.v4Bits & 0xffff))
    }

    private func network(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xff)] }

    private func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }
}
