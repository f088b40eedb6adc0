// SPDX-License-Identifier: Apache-2.0

import CaptureReading
import DetectionModel
import Detectors
import NetworkModel

@testable import Console

/// A capture of DNS between clients and resolvers as the bytes of a pcap file with raw IP packets.
struct NameCapture {
    static let client = IPAddress("10.0.0.5") ?? .init(v4: 0), resolver = IPAddress("198.51.100.53") ?? .init(v4: 0)
    static let client6 = IPAddress("fd00::5") ?? .init(v4: 0), resolver6 = IPAddress("2001:db8::53") ?? .init(v4: 0)
    static let notFound: UInt16 = 3

    private(set) var bytes: [UInt8] = [
        0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0,
    ]
    /// Seconds since the capture began.
    var time = 0.0
    private var id: UInt16 = 7
    private var random = RepeatableNumbers(state: 0x2545_f491_4f6c_dd1d)

    static func labels(_ name: String) -> [[UInt8]] { name.split(separator: ".").map { Array($0.utf8) } }

    /// So many characters of these, by lot.
    mutating func random(_ count: Int, of characters: String = "abcdefghijklmnopqrstuvwxyz234567") -> [UInt8] {
        let letters = Array(characters.utf8)
        return (0..<count).map { _ in letters[Int(random.next() % UInt64(letters.count))] }
    }

    mutating func number(below bound: Int) -> Int { Int(random.next() % UInt64(bound)) }

    /// A question, and its answer some milliseconds later, `answerBytes` long behind the question; nil: none comes.
    mutating func ask(
        _ name: [[UInt8]], type: UInt16 = 1, from client: IPAddress = client, _ resolver: IPAddress = resolver,
        code: UInt16 = 0, answerBytes: Int? = 16
    ) {
        id &+= 2477
        let port = UInt16(20_000 + random.next() % 40_000)
        let question: [UInt8] =
            name.flatMap { [UInt8($0.count)] + $0 } + [0, UInt8(type >> 8), UInt8(type & 255), 0, 1]
        add(client, port, resolver, 53, NameCapture.header(id, 0x0100) + question)
        guard let answerBytes else { return }
        time += 0.004
        let flags = 0x8180 | code
        add(
            resolver, 53, client, port,
            NameCapture.header(id, flags) + question + [UInt8](repeating: 0, count: answerBytes))
    }

    private static func header(_ id: UInt16, _ flags: UInt16) -> [UInt8] {
        word(id) + word(flags) + [0, 1, 0, 0, 0, 0, 0, 0]
    }

    private static func word(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 255)] }

    private mutating func add(
        _ source: IPAddress, _ sourcePort: UInt16, _ target: IPAddress, _ port: UInt16, _ message: [UInt8]
    ) {
        let datagram: [UInt8] =
            NameCapture.word(sourcePort) + NameCapture.word(port) + NameCapture.word(UInt16(8 + message.count)) + [
                0, 0,
            ] + message
        var packet: [UInt8]
        if source.isIPv4 {
            packet = [0x45, 0] + NameCapture.word(UInt16(20 + datagram.count)) + [0, 0, 0, 0, 64, 17, 0, 0]
            for address in [source.v4Bits, target.v4Bits] {
                packet += (0..<4).map { UInt8(truncatingIfNeeded: address >> UInt32(24 - 8 * $0)) }
            }
        } else {
            packet = [0x60, 0, 0, 0] + NameCapture.word(UInt16(datagram.count)) + [17, 64]
            for word in [source.high, source.low, target.high, target.low] {
                packet += (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) }
            }
        }
        packet += datagram
        let microseconds = UInt64(time * 1e6)
        for value in [
            1_790_000_000 + microseconds / 1_000_000, microseconds % 1_000_000, UInt64(packet.count),
            UInt64(packet.count),
        ] {
            bytes += (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
        }
        bytes += packet
    }

    /// What replay finds in it, private addresses being inside.
    func findings() throws -> [Finding] {
        var reader = CaptureReader()
        reader.append(bytes)
        let inside = ["10.0.0.0/8", "fd00::/8"].compactMap { CIDR($0) }
        var replay = try CaptureReplay(detectors: DetectorConfiguration(), inside: PrefixSet(inside))
        var findings: [Finding] = []
        while let packet = try reader.next() { replay.take(packet) { findings.append($0) } }
        try reader.finish()
        replay.finish { findings.append($0) }
        return findings
    }
}

/// xorshift64: the same each time.
struct RepeatableNumbers {
    var state: UInt64

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state >> 11
    }
}
