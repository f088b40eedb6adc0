// SPDX-License-Identifier: Apache-2.0

import CDatapathABI
import DetectionModel
import NetworkModel
import Sensing
import Testing

/// Answers to questions that nobody looked at, for there was load or the sensors had not begun: they are nobody's probes.
@Suite struct MissedQuestionTests {
    let sensors: NativeSensors

    init() throws {
        sensors = try #require(NativeSensors(budget: 64))
        // They have been there for long.
        sensors.see(Frames.echo(stranger, server), at: start - 100 * second)
    }

    private func failures(of address: UInt32, by end: UInt64) -> UInt32 {
        sensors.sweep(time: end)
        return sensors.takeActivities().compactMap(\.asSource).filter { $0.source == IPAddress(v4: address) }
            .map(\.distinctFailures).max() ?? 0
    }

    /// Bulk of one flow on the first processor: 20 000 a second, of which it looks at some 7 600.
    private func burst(at time: UInt64, _ number: Int) {
        sensors.move(toProcessor: 0)
        sensors.see(Frames.udp(stranger, 5201, server, 40_000), at: time + UInt64(number) * 50_000)
    }

    @Test func `bursts on one processor make nobody a prober whose answers come by another`() {
        let client = stranger + 9
        for round in 0..<8 {
            let begin = start + UInt64(round) * 7 * second
            for number in 0..<140_000 {
                if number < 20_000 { burst(at: begin, number) }
                guard number % 400 == 0 else { continue }
                let time = begin + UInt64(number) * 50_000, port = UInt16(20_000 + number / 400 + round * 350)
                // Somebody asks the host; it asks somebody itself, by a port that is not the names'.
                sensors.move(toProcessor: 0)
                sensors.see(Frames.udp(client, port, server, 53), at: time)
                sensors.see(Frames.udp(server, port, client, 3478), at: time)
                sensors.move(toProcessor: 1)
                sensors.see(Frames.udp(server, 53, client, port), at: time + 3_000_000)
                sensors.see(Frames.udp(client, 3478, server, port), at: time + 3_000_000)
                sensors.see(Frames.tcp(server, port, client &+ UInt32(port), 443, Frames.syn), at: time + 4_000_000)
                sensors.move(toProcessor: 0)
                sensors.see(
                    Frames.tcp(client &+ UInt32(port), 443, server, port, Frames.syn | Frames.ack),
                    at: time + 9_000_000)
            }
        }
        sensors.sweep(time: start + 60 * second)
        let worst = sensors.takeActivities().compactMap(\.asSource).map { ($0.distinctFailures, $0) }
            .max { $0.0 < $1.0 }
        // What was under way when a burst began.
        #expect((worst?.0 ?? 99) <= 6, "\(worst as Any)")
    }

    @Test func `an answer is none the less one where the load was over when it came`() {
        let client = stranger + 9
        for number in 0..<20_000 { burst(at: start, number) }
        for number in 0..<200 {
            sensors.see(Frames.udp(client, UInt16(20_000 + number), server, 53), at: start + second)
        }
        sensors.move(toProcessor: 1)
        for number in 0..<200 {
            sensors.see(
                Frames.udp(server, 53, client, UInt16(20_000 + number)), at: start + (4 + UInt64(number)) * second / 8)
        }
        #expect(failures(of: server, by: start + 40 * second) == 0)
    }

    @Test func `a stream that goes on after the load is the answer that it was`() {
        let client = stranger + 9
        for number in 0..<20_000 { burst(at: start, number) }
        for tick in 0..<40 {
            for number in 0..<100 {
                sensors.see(
                    Frames.udp(server, 3478, client, UInt16(20_000 + number)),
                    at: start + second + UInt64(tick) * 4 * second)
            }
        }
        #expect(failures(of: server, by: start + 170 * second) == 0)
    }

    @Test func `a processor to which few come follows all flows again when the load is over`() {
        for number in 0..<20_000 { burst(at: start, number) }
        for port in UInt16(1)...12 {
            sensors.see(
                Frames.tcp(stranger + 1, 50_000, server, port, Frames.syn), at: start + (4 + UInt64(port)) * second)
        }
        #expect(failures(of: stranger + 1, by: start + 20 * second) >= 11)
    }

    @Test func `who answers when the sensors begin has been asked before`() throws {
        let sensors = try #require(NativeSensors())
        for number in 0..<100 {
            sensors.see(
                Frames.udp(server, 51_820, stranger + UInt32(number), 51_820), at: start + UInt64(number) * second / 10)
            sensors.see(
                Frames.udp(server, 443, stranger + UInt32(number), 50_000), at: start + UInt64(number) * second / 10)
        }
        sensors.sweep(time: start + 14 * second)
        let found = sensors.takeActivities().compactMap(\.asSource)
        #expect(!found.contains { $0.distinctFailures > 0 }, "\(found)")
    }

    @Test(arguments: [true, false])
    func `a scan by datagrams is one, from a low port too where nothing was missed`(isFromLow: Bool) {
        let scanner = stranger + 1
        // From high ports whatever was missed.
        if !isFromLow { for number in 0..<20_000 { burst(at: start - 10 * second, number) } }
        for number in UInt16(0)..<50 {
            sensors.see(
                Frames.udp(scanner, isFromLow ? 443 : 50_000, server, 2000 + number),
                at: start + UInt64(number) * second / 10)
        }
        #expect(failures(of: scanner, by: start + 10 * second) >= 40)
    }
}
