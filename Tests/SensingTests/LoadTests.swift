// SPDX-License-Identifier: Apache-2.0

import CDatapathABI
import DetectionModel
import NetworkModel
import Sensing
import Testing

/// What is known under load, when not every packet is looked at.
@Suite struct LoadTests {
    let sensors: NativeSensors
    /// As in the kernel, for each processor.
    private static let budget: UInt32 = 512

    init() throws { sensors = try #require(NativeSensors(budget: LoadTests.budget)) }

    /// Rates of whole seconds of a target, added up.
    private struct Sum {
        var packets: UInt64 = 0, syn: UInt64 = 0, established: UInt64 = 0, udp: UInt64 = 0, answered: UInt64 = 0
        var sources: UInt32 = 0
    }

    private func sum(_ activities: [Activity], of target: UInt32 = server) -> Sum {
        activities.reduce(into: Sum()) { sum, activity in
            guard case .target(let target_) = activity, target_.isWhole, target_.target == IPAddress(v4: target) else {
                return
            }
            sum.packets += target_.packets
            sum.syn += target_.syn
            sum.established += target_.established
            sum.udp += target_.udp
            sum.answered += target_.udpAnswered
            sum.sources = max(sum.sources, target_.distinctSources)
        }
    }

    private func isAbout(_ value: UInt64, _ wanted: Int, _ percent: Int = 20) -> Bool {
        abs(Int(value) - wanted) <= wanted * percent / 100
    }

    @Test func `a flood of a million a second is counted, and few of its packets are looked at`() {
        var forger = Forger()
        for number in 0..<1_000_000 { sensors.see(forger.forge(port: 80), at: start + UInt64(number) * 1000) }
        sensors.sweep(time: start + 3 * second)
        let seen = sum(sensors.takeActivities())
        #expect(isAbout(seen.syn, 1_000_000) && isAbout(seen.packets, 1_000_000), "\(seen)")
        #expect(seen.established == 0 && seen.sources > 2000)
        #expect(sensors.count(Int(SENSE_COUNT_LOOKED_AT)) < 3 * 512 * 120)
    }

    @Test(arguments: [UInt8(6), 17])
    func `one flow that floods is counted, whether it is followed or not`(ipProtocol: UInt8) {
        for port in UInt16(2000)..<2008 {
            let begin = start + UInt64(port) * 4 * second
            let frame =
                ipProtocol == 6
                ? Frames.tcp(stranger, port, server, 80, Frames.syn) : Frames.udp(stranger, port, server, 9999)
            for number in 0..<200_000 { sensors.see(frame, at: begin + UInt64(number) * 2000) }
            sensors.sweep(time: begin + 2 * second)
            let seen = sum(sensors.takeActivities())
            #expect(isAbout(ipProtocol == 6 ? seen.syn : seen.udp, 200_000, 25), "\(port): \(seen)")
        }
    }

    @Test func `a scan within a flood is known by a share of its ports`() {
        var forger = Forger()
        for number in 0..<500_000 {
            let time = start + UInt64(number) * 2000
            sensors.see(forger.forge(), at: time)
            if number % 250 == 0 {
                let port = UInt16(1 + number / 250)
                sensors.see(Frames.tcp(stranger, 40_000, server, port, Frames.syn), at: time)
                sensors.see(
                    Frames.tcp(server, port, stranger, 40_000, Frames.rst | Frames.ack, number: 0), at: time + 50)
            }
        }
        sensors.sweep(time: start + 3 * second)
        let scanner = sensors.takeActivities().compactMap(\.asSource).last { $0.source == IPAddress(v4: stranger) }
        #expect((scanner?.distinctFailures ?? 0) >= 30, "\(scanner as Any)")
        #expect(isAbout(UInt64(scanner?.probes.syn ?? 0), 2000, 50))
        #expect((scanner?.unanswered ?? 99) <= 6, "of what is followed the answers are seen too")
    }

    @Test func `connections that are completed are known to be`() {
        // A hundred thousand a second.
        for number in 0..<200_000 {
            let time = start + UInt64(number) * 10_000
            let client = 0xc000_0000 | UInt32(number / 1000), port = UInt16(20_000 + number % 1000 * 40)
            sensors.see(Frames.tcp(client, port, server, 443, Frames.syn), at: time)
            sensors.see(Frames.tcp(server, 443, client, port, Frames.syn | Frames.ack), at: time + 100)
            sensors.see(
                Frames.tcp(client, port, server, 443, Frames.ack, number: 2, acknowledged: 2), at: time + 200)
            if number % 10_000 == 0 { sensors.sweep(time: time) }
        }
        sensors.sweep(time: start + 5 * second)
        let seen = sum(sensors.takeActivities())
        #expect(isAbout(seen.syn, 200_000) && isAbout(seen.established, 200_000, 30), "\(seen)")
    }

    @Test func `a resolver that is busy and answered makes nobody a prober`() {
        for number in 0..<300_000 {
            let time = start + UInt64(number) * 5000
            let client = 0xc000_0000 | UInt32(number % 5000), port = UInt16(20_000 + number % 40_000)
            sensors.see(Frames.udp(client, port, server, 53), at: time)
            sensors.see(Frames.udp(server, 53, client, port), at: time + 1000)
            // And asks itself.
            let upstream = stranger + UInt32(number % 200)
            sensors.see(Frames.udp(server, port, upstream, 53), at: time + 2000)
            sensors.see(Frames.udp(upstream, 53, server, port), at: time + 3000)
        }
        sensors.sweep(time: start + 5 * second)
        let activities = sensors.takeActivities()
        let worst = activities.compactMap(\.asSource).map(\.distinctFailures).max() ?? 0
        #expect(worst <= 24, "\(worst)")
        let seen = sum(activities)
        #expect(isAbout(seen.packets, 600_000, 30), "\(seen)")
    }
}
