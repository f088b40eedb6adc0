// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import NetworkModel
import Sensing
import Testing

@Suite struct TargetSensorTests {
    let sensors: NativeSensors

    init() throws { sensors = try #require(NativeSensors()) }

    private func targets(_ address: UInt32 = server) -> [TargetActivity] {
        sensors.takeActivities().compactMap(\.asTarget).filter { $0.target == IPAddress(v4: address) }
    }

    private func firstWhole() throws -> TargetActivity { try #require(targets().filter(\.isWhole).first) }

    @Test func `a flood of forged SYNs is reported within the second and as a whole`() throws {
        for number in 0..<6000 {
            sensors.see(
                Frames.tcp(0x2000_0000 &+ UInt32(number) &* 2_654_435_761 >> 4, 999, server, 80, Frames.syn),
                at: start + UInt64(number) * 500_000)
        }
        sensors.sweep(time: start + 5 * second)
        let reports = targets()
        let first = try #require(reports.first)
        #expect(!first.isWhole && first.syn == 256 && first.time < start + second / 5)
        let whole = reports.filter(\.isWhole)
        #expect(whole.map(\.syn) == [2000, 2000, 2000])
        #expect(whole.map(\.since) == [start, start + second, start + 2 * second])
        #expect(whole.allSatisfy { $0.topPort == 80 && $0.established == 0 && $0.isInside })
        #expect(whole.allSatisfy { (1400...2600).contains($0.distinctSources) }, "\(whole.map(\.distinctSources))")
    }

    @Test func `users who finish their handshakes are counted as such`() throws {
        for number in 0..<300 {
            let time = start + UInt64(number) * 1_000_000
            let user = stranger + UInt32(number % 50), port = UInt16(20_000 + number)
            sensors.see(Frames.tcp(user, port, server, 80, Frames.syn), at: time)
            sensors.see(Frames.tcp(server, 80, user, port, Frames.syn | Frames.ack), at: time + 100)
            sensors.see(Frames.tcp(user, port, server, 80, Frames.ack, acknowledged: 2), at: time + 200)
        }
        sensors.sweep(time: start + 3 * second)
        let whole = try firstWhole()
        #expect(whole.syn == 300 && whole.established == 300 && whole.packets == 600)
        #expect((35...70).contains(whole.distinctSources), "\(whole.distinctSources)")
    }

    @Test func `answers that nobody asked for are told from those that somebody did`() throws {
        for number in 0..<100 {
            let resolver = stranger + UInt32(number)
            sensors.see(Frames.udp(resolver, 53, server, 4444, payload: 1000), at: start + UInt64(number))
            sensors.see(Frames.udp(server, 5555, resolver, 53), at: start + UInt64(number))
            sensors.see(Frames.udp(resolver, 53, server, 5555, payload: 100), at: start + UInt64(number))
        }
        sensors.sweep(time: start + 3 * second)
        let whole = try firstWhole()
        #expect(whole.udp == 200 && whole.udpAnswered == 100)
        #expect(whole.reflected == 100 && whole.reflectedBytes == 102_800 && whole.reflectorPort == 53)
    }

    @Test func `fragments and pings are counted`() throws {
        for number in 0..<50 {
            var fragment = Frames.udp(stranger, 1000, server, 2000)
            fragment[20] = number % 2 == 0 ? 0x20 : 0x00
            fragment[21] = number % 2 == 0 ? 0x00 : 0x04
            sensors.see(fragment, at: start + UInt64(number))
            sensors.see(Frames.echo(stranger, server), at: start + UInt64(number))
        }
        sensors.sweep(time: start + 3 * second)
        let whole = try firstWhole()
        #expect(whole.fragments == 50 && whole.icmp == 50 && whole.udp == 25 && whole.packets == 100)
    }

    @Test func `a scan by many is known at its target`() throws {
        for number in 0..<200 {
            let prober = stranger &+ UInt32(number % 100) &* 7919, port = UInt16(1 + number)
            sensors.see(Frames.tcp(prober, 4000, server, port, Frames.syn), at: start + UInt64(number) * second / 2)
            sensors.see(
                Frames.tcp(server, port, prober, 4000, Frames.rst | Frames.ack, number: 0),
                at: start + UInt64(number) * second / 2)
        }
        let last = try #require(targets().last { !$0.isWhole })
        #expect(last.failedProbes >= 150)
        #expect((130...260).contains(last.distinctPorts), "\(last.distinctPorts)")
        #expect((60...140).contains(last.distinctProbers), "\(last.distinctProbers)")
    }
}
