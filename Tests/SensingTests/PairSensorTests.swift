// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import NetworkModel
import Sensing
import Testing

@Suite struct PairSensorTests {
    let sensors: NativeSensors

    init() throws { sensors = try #require(NativeSensors()) }

    private func last() throws -> PairActivity {
        try #require(sensors.takeActivities().compactMap(\.asPair).last)
    }

    /// A whole connection in 50 ms in which the client sends so many bytes.
    private func connect(
        _ client: UInt32, _ port: UInt16, to target: UInt32, _ targetPort: UInt16, bytes: UInt32, at time: UInt64
    ) {
        let fin = Frames.fin | Frames.ack
        sensors.see(Frames.tcp(client, port, target, targetPort, Frames.syn, number: 100), at: time)
        sensors.see(Frames.tcp(target, targetPort, client, port, Frames.syn | Frames.ack), at: time + 1_000_000)
        sensors.see(Frames.tcp(client, port, target, targetPort, fin, number: 101 + bytes), at: time + 50_000_000)
        sensors.see(Frames.tcp(target, targetPort, client, port, fin, number: 900), at: time + 50_000_000)
    }

    @Test func `a beacon shows its interval and its size`() throws {
        for number in 0..<20 {
            connect(
                server, UInt16(40_000 + number), to: stranger, 443, bytes: 320, at: start + UInt64(number) * 60 * second
            )
        }
        let pair = try last()
        #expect(pair.client == IPAddress(v4: server) && pair.isClientInside && !pair.isServerInside)
        #expect(pair.port == 443 && pair.connections >= 16 && pair.short >= 15)
        #expect(pair.intervals == pair.connections - 1)
        #expect((59_990_000...60_010_000).contains(pair.intervalMean) && pair.intervalDeviation < 10_000)
        #expect(pair.sizeMean == 320 && pair.sizeDeviation == 0)
    }

    @Test func `guesses from outside are counted by the minute`() throws {
        for number in 0..<30 {
            connect(
                stranger, UInt16(40_000 + number), to: server, 22, bytes: 1200, at: start + UInt64(number) * 2 * second)
        }
        let pair = try last()
        #expect(pair.server == IPAddress(v4: server) && !pair.isClientInside && pair.isServerInside)
        #expect(pair.connections >= 20 && pair.connectionsPerMinute >= 20 && pair.short >= 18)
    }

    @Test func `a SYN that is sent again opens nothing new`() throws {
        for number in 0..<5 {
            let time = start + UInt64(number) * 30 * second
            for again in 0..<3 {
                sensors.see(
                    Frames.tcp(server, UInt16(40_000 + number), stranger, 443, Frames.syn, number: UInt32(number)),
                    at: time + UInt64(again) * second)
            }
        }
        #expect(try last().connections == 5)
    }

    @Test func `volume out is known by direction`() throws {
        sensors.see(Frames.tcp(server, 40_000, stranger, 443, Frames.syn), at: start)
        for number in 1...3000 {
            sensors.see(
                Frames.tcp(server, 40_000, stranger, 443, Frames.ack, payload: 1400), at: start + UInt64(number) * 1000)
            sensors.see(Frames.tcp(stranger, 443, server, 40_000, Frames.ack), at: start + UInt64(number) * 1000)
        }
        let pair = try last()
        #expect(pair.bytesSent > 2_000_000 && pair.bytesReceived > 50_000 && pair.bytesReceived < 130_000)
    }
}
