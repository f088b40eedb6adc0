// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import NetworkModel
import Sensing
import Testing

/// What counts as a handshake: only who has read the answer can acknowledge it.
@Suite struct HandshakeTests {
    let sensors: NativeSensors

    init() throws { sensors = try #require(NativeSensors()) }

    /// SYN, its answer with this number, and what the opener says then with these acknowledgements.
    private func open(_ port: UInt16, answer: UInt32, _ acknowledgements: [UInt32], flags: UInt8 = Frames.fin) {
        let time = start + UInt64(port) * 1_000_000
        sensors.see(Frames.tcp(stranger, port, server, 22, Frames.syn, number: 7), at: time)
        sensors.see(Frames.tcp(server, 22, stranger, port, Frames.syn | Frames.ack, number: answer), at: time + 1000)
        for number in acknowledgements {
            sensors.see(
                Frames.tcp(stranger, port, server, 22, flags | Frames.ack, number: 8, acknowledged: number),
                at: time + 2000)
        }
    }

    private var established: UInt32 {
        sensors.takeActivities().compactMap(\.asSource).map(\.established).max() ?? 0
    }

    @Test(arguments: [UInt32(0), 1, 2_147_483_648, .max], [Frames.fin, 0])
    func `who acknowledges the answer has a handshake`(answer: UInt32, flags: UInt8) {
        for port in UInt16(2000)..<2032 { open(port, answer: answer, [answer &+ 1 &+ UInt32(port)], flags: flags) }
        #expect(established == 32)
    }

    @Test func `a long answer may be behind what ends a connection`() {
        for port in UInt16(2000)..<2008 { open(port, answer: 4_000_000_000, [4_000_000_000 &+ 1 << 24]) }
        #expect(established == 8)
    }

    @Test(arguments: [UInt32(0), 5, 100_000, 2_000_000_000, .max])
    func `who forges both ends of a connection proves nothing by what he acknowledges`(guess: UInt32) {
        // The answer goes to whom the SYN names; its number is not the forger's to know.
        for port in UInt16(2000)..<2200 {
            let answer = guess &+ (1 << 25) &+ UInt32(port) &* 10_000_019 % 3_900_000_000
            open(port, answer: answer, [guess])
        }
        #expect(established == 0)
    }

    @Test func `what the server itself has not reached yet is no acknowledgement`() {
        for port in UInt16(2000)..<2032 { open(port, answer: 1000, [1000]) }
        #expect(established == 0)
    }

    @Test func `who guesses has one guess`() {
        for port in UInt16(2000)..<2032 {
            open(port, answer: 1000, (0..<256).map { 0x80_0000 &+ UInt32($0) << 24 }.reversed())
        }
        #expect(established == 0)
    }
}
