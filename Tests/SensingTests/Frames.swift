// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import Sensing

/// Frames over IPv4, with no checksums: sensors do not look at those.
struct Frames {
    static let syn: UInt8 = 0x02, ack: UInt8 = 0x10, rst: UInt8 = 0x04, fin: UInt8 = 0x01

    /// Ethernet and IPv4 around a payload.
    static func ipv4(_ source: UInt32, _ target: UInt32, _ ipProtocol: UInt8, _ payload: [UInt8]) -> [UInt8] {
        [UInt8](repeating: 2, count: 12) + [0x08, 0x00, 0x45, 0] + word16(UInt16(20 + payload.count))
            + [0, 0, 0, 0, 64, ipProtocol, 0, 0] + word32(source) + word32(target) + payload
    }

    static func tcp(
        _ source: UInt32, _ sourcePort: UInt16, _ target: UInt32, _ targetPort: UInt16, _ flags: UInt8,
        number: UInt32 = 1, acknowledged: UInt32 = 0, payload: Int = 0
    ) -> [UInt8] {
        let header: [UInt8] = word16(sourcePort) + word16(targetPort) + word32(number) + word32(acknowledged)
        return ipv4(
            source, target, 6, header + [0x50, flags, 0x20, 0, 0, 0, 0, 0] + [UInt8](repeating: 0, count: payload))
    }

    static func udp(
        _ source: UInt32, _ sourcePort: UInt16, _ target: UInt32, _ targetPort: UInt16, payload: Int = 32
    ) -> [UInt8] {
        ipv4(
            source, target, 17,
            word16(sourcePort) + word16(targetPort) + word16(UInt16(8 + payload)) + [0, 0]
                + [UInt8](repeating: 0, count: payload))
    }

    /// Ethernet and IPv6 around a payload; addresses as 16 bytes.
    static func ipv6(_ source: [UInt8], _ target: [UInt8], _ ipProtocol: UInt8, _ payload: [UInt8]) -> [UInt8] {
        [UInt8](repeating: 2, count: 12) + [0x86, 0xdd, 0x60, 0, 0, 0] + word16(UInt16(payload.count)) + [
            ipProtocol, 255,
        ]
            + source + target + payload
    }

    static func tcp6(_ source: [UInt8], _ sourcePort: UInt16, _ target: [UInt8], _ targetPort: UInt16, _ flags: UInt8)
        -> [UInt8]
    {
        ipv6(
            source, target, 6,
            word16(sourcePort) + word16(targetPort) + word32(1) + word32(0) + [0x50, flags, 0x20, 0, 0, 0, 0, 0])
    }

    /// A neighbour solicitation or, `isAnswer`, the advertisement that answers it.
    static func neighbor(_ source: [UInt8], _ asked: [UInt8], isAnswer: Bool = false) -> [UInt8] {
        let group: [UInt8] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff] + asked[13...]
        return isAnswer
            ? ipv6(asked, source, 58, [136, 0, 0, 0, 0x60, 0, 0, 0] + asked)
            : ipv6(source, group, 58, [135, 0, 0, 0, 0, 0, 0, 0] + asked)
    }

    /// What says that a frame found nobody, from its target.
    static func unreachable(_ frame: [UInt8]) -> [UInt8] {
        let quoted = Array(frame[14..<42])
        func word(_ at: Int) -> UInt32 { frame[at..<at + 4].reduce(0) { $0 << 8 | UInt32($1) } }
        return ipv4(word(30), word(26), 1, [3, 3, 0, 0, 0, 0, 0, 0] + quoted)
    }

    static func echo(_ source: UInt32, _ target: UInt32, isReply: Bool = false) -> [UInt8] {
        ipv4(source, target, 1, [isReply ? 0 : 8, 0, 0, 0, 0x12, 0x34, 0, 1])
    }

    static func arp(_ source: UInt32, _ target: UInt32) -> [UInt8] {
        [UInt8](repeating: 0xff, count: 6) + [UInt8](repeating: 2, count: 6) + [0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]
            + [UInt8](repeating: 2, count: 6) + word32(source) + [UInt8](repeating: 0, count: 6) + word32(target)
    }

    private static func word16(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 255)] }

    private static func word32(_ value: UInt32) -> [UInt8] {
        [UInt8(value >> 24), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
    }
}

/// A SYN whose fields are overwritten in place: making a million of them is to cost little.
struct Forger {
    var frame = Frames.tcp(stranger, 40_000, server, 80, Frames.syn)
    var state: UInt64 = 88_172_645_463_325_252

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }

    mutating func forge(port: UInt16? = nil) -> [UInt8] {
        let source = UInt32(truncatingIfNeeded: next())
        let port = port ?? UInt16(truncatingIfNeeded: next() >> 20)
        for byte in 0..<4 { frame[26 + byte] = UInt8(truncatingIfNeeded: source >> UInt32(24 - 8 * byte)) }
        frame[36] = UInt8(port >> 8)
        frame[37] = UInt8(port & 255)
        return frame
    }
}

extension NativeSensors {
    private func isInside(_ address: IPAddress) -> Bool {
        address.isIPv4 ? address.v4Bits >> 24 == 10 : address.high >> 56 == 0xfd
    }

    /// Everything in 10.0.0.0/8 and fd00::/8 is inside.
    func see(_ frame: [UInt8], at time: UInt64, isDenied: Bool = false) {
        guard let parties = unsafe read(frame.span.bytes, wireLength: frame.count) else { return }
        sense(
            isSourceInside: isInside(parties.source), isTargetInside: isInside(parties.target),
            isDenied: isDenied, time: time)
    }
}

let second: UInt64 = 1_000_000_000
/// Begin of the captures, so that no time is 0.
let start: UInt64 = 1_000 * second
let server: UInt32 = 0x0a00_0001
let stranger: UInt32 = 0xc633_6401
