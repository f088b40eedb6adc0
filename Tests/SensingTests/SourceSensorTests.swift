// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import NetworkModel
import Sensing
import Testing

@Suite struct SourceSensorTests {
    let sensors: NativeSensors

    init() throws { sensors = try #require(NativeSensors()) }

    private func sources(_ address: UInt32 = stranger) -> [SourceActivity] {
        sensors.takeActivities().compactMap { activity in
            guard case .source(let source) = activity, source.source == IPAddress(v4: address) else { return nil }
            return source
        }
    }

    @Test func `a scan of a thousand closed ports is reported while it goes on`() throws {
        for port in 1...1000 {
            let time = start + UInt64(port) * 1_000_000
            sensors.see(Frames.tcp(stranger, 40_000, server, UInt16(port), Frames.syn), at: time)
            sensors.see(
                Frames.tcp(server, UInt16(port), stranger, 40_000, Frames.rst | Frames.ack, number: 0), at: time)
        }
        let reports = sources()
        let first = try #require(reports.first)
        #expect(first.distinctPairs == 4 && first.time < start + 10_000_000)
        #expect(reports.count < 60, "levels, not packets: \(reports.count)")
        let last = try #require(reports.last)
        #expect(last.probes.syn > 800 && last.refused > 800)
        #expect((750...1250).contains(last.distinctPorts), "\(last.distinctPorts)")
        #expect((700...1250).contains(last.distinctFailures), "\(last.distinctFailures)")
        #expect(last.distinctHosts == 1)
        #expect(!last.isInside && last.length == 32)
        #expect(last.samples.count == 3)
        #expect(last.samples.allSatisfy { $0.destination == IPAddress(v4: server) && $0.ipProtocol == .tcp })
    }

    @Test func `one silent probe every five seconds is known after five`() throws {
        for number in 0..<6 {
            let time = start + UInt64(number) * 5 * second
            sensors.see(Frames.tcp(stranger, 40_000, server, UInt16(1000 + number), Frames.syn), at: time)
        }
        sensors.sweep(time: start + 26 * second)
        let reports = sources()
        let known = try #require(reports.first { $0.distinctFailures >= 5 })
        #expect(known.time <= start + 26 * second)
        #expect(known.unanswered >= 5 && known.answered == 0 && known.refused == 0)
    }

    @Test func `silence is said of the last probe too, with no packet after it`() throws {
        for number in 0..<4 {
            sensors.see(Frames.tcp(stranger, 40_000, server, UInt16(1000 + number), Frames.syn), at: start)
        }
        #expect(sources().last?.distinctFailures == 0, "nothing is late yet")
        sensors.sweep(time: start + 2 * second)
        #expect(sources().last?.unanswered == 4)
    }

    @Test func `a client that is served has no failures however often it comes`() throws {
        for number in 0..<500 {
            let time = start + UInt64(number) * 20_000_000
            let port = UInt16(20_000 + number)
            sensors.see(Frames.tcp(stranger, port, server, 443, Frames.syn, number: 7), at: time)
            sensors.see(Frames.tcp(server, 443, stranger, port, Frames.syn | Frames.ack), at: time + 1000)
            sensors.see(
                Frames.tcp(stranger, port, server, 443, Frames.ack, number: 8, acknowledged: 2), at: time + 2000)
            sensors.see(Frames.tcp(stranger, port, server, 443, Frames.fin | Frames.ack, number: 99), at: time + 3000)
        }
        sensors.sweep(time: start + 20 * second)
        let last = try #require(sources().last)
        #expect(last.distinctPairs == 1 && last.distinctFailures == 0 && last.unanswered == 0)
        #expect(last.answered > 300 && last.established > 300)
    }

    @Test(arguments: [
        (flags: UInt8(0x01), kind: 0), (0x00, 1), (0x29, 2), (0x03, 3),
    ]) func `segments whose flags fit no connection are probes of their kind`(flags: UInt8, kind: Int) throws {
        for port in 1...20 {
            sensors.see(Frames.tcp(stranger, 40_000, server, UInt16(port), flags), at: start + UInt64(port))
        }
        let last = try #require(sources().last)
        let counts = [last.probes.fin, last.probes.null, last.probes.xmas, last.probes.oddFlags]
        #expect(counts[kind] == UInt32(last.probes.total) && last.probes.total >= 10)
    }

    @Test func `what a host refuses for having no connection was probed by acknowledgement`() throws {
        for port in 1...20 {
            sensors.see(Frames.tcp(stranger, 40_000, server, UInt16(port), Frames.ack), at: start + UInt64(port))
            sensors.see(Frames.tcp(server, UInt16(port), stranger, 40_000, Frames.rst), at: start + UInt64(port))
        }
        let last = try #require(sources().last)
        #expect(last.probes.ack >= 10 && last.probes.ack == UInt32(last.probes.total))
        #expect(last.distinctFailures >= 9)
    }

    @Test func `datagrams count once a flow, and an unreachable port is a refusal`() throws {
        for port in 1...20 {
            let probe = Frames.udp(stranger, 40_000, server, UInt16(port))
            for _ in 0..<3 { sensors.see(probe, at: start + UInt64(port)) }
            sensors.see(Frames.unreachable(probe), at: start + UInt64(port))
        }
        let last = try #require(sources().last)
        #expect(last.probes.udp == last.distinctPairs && last.distinctPairs >= 16)
        #expect(last.refused >= 15 && last.distinctFailures >= 15)
    }

    @Test func `refusals of what nobody tried make no prober`() {
        for port in 1...200 {
            sensors.see(
                Frames.tcp(stranger, UInt16(port), server, 50_000, Frames.rst | Frames.ack, number: 0), at: start)
            sensors.see(
                Frames.unreachable(Frames.udp(server, 50_000, stranger, UInt16(port))), at: start + UInt64(port))
        }
        sensors.sweep(time: start + 5 * second)
        #expect(sources(server).isEmpty)
    }

    @Test func `sweeps by echo and by address resolution count hosts`() throws {
        for host in 1...40 {
            sensors.see(Frames.echo(stranger, server + UInt32(host)), at: start + UInt64(host))
            sensors.see(Frames.arp(server, server + UInt32(host)), at: start + UInt64(host))
        }
        let pinger = try #require(
            sensors.takeActivities().compactMap(\.asSource).last { $0.source == IPAddress(v4: stranger) })
        #expect(pinger.probes.icmp >= 32 && (30...45).contains(pinger.distinctHosts) && pinger.distinctPorts == 0)
        for host in 41...60 { sensors.see(Frames.arp(server, server + UInt32(host)), at: start + UInt64(host)) }
        let asker = try #require(sources(server).last)
        #expect(asker.probes.arp >= 40 && asker.isInside)
    }

    @Test func `what policy denies is said at once`() throws {
        for port in 1...8 {
            let frame = Frames.tcp(server, 40_000, stranger, UInt16(port), Frames.syn)
            sensors.see(frame, at: start + UInt64(port), isDenied: true)
        }
        let last = try #require(sources(server).last)
        #expect(last.denied >= 6 && last.distinctFailures >= 6 && last.isInside)
    }
}

extension Activity {
    var asSource: SourceActivity? {
        guard case .source(let source) = self else { return nil }
        return source
    }

    var asTarget: TargetActivity? {
        guard case .target(let target) = self else { return nil }
        return target
    }

    var asPair: PairActivity? {
        guard case .pair(let pair) = self else { return nil }
        return pair
    }
}
