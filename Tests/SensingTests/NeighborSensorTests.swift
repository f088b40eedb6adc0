// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import NetworkModel
import Sensing
import Testing

/// Neighbours that are asked for, by ARP and by neighbour discovery.
@Suite struct NeighborSensorTests {
    let sensors: NativeSensors

    init() throws { sensors = try #require(NativeSensors()) }

    private func address(_ last: UInt8, prefix: [UInt8] = [0x20, 1, 0x0d, 0xb8]) -> [UInt8] {
        prefix + [UInt8](repeating: 0, count: 11) + [last]
    }

    private func last(_ activities: [Activity], _ source: IPAddress?) -> SourceActivity? {
        activities.compactMap(\.asSource).last { $0.source == source }
    }

    @Test(arguments: [true, false])
    func `who asks for every address of a link is seen to`(isIPv6: Bool) {
        for host in UInt8(10)..<110 {
            let time = start + UInt64(host) * 10_000_000
            sensors.see(
                isIPv6
                    ? Frames.neighbor(address(7), address(host)) : Frames.arp(stranger, stranger + UInt32(host)),
                at: time)
        }
        sensors.sweep(time: start + 4 * second)
        let seen = last(sensors.takeActivities(), isIPv6 ? IPAddress("2001:db8::7") : IPAddress(v4: stranger))
        #expect((seen?.probes.arp ?? 0) >= 90 && (85...120).contains(seen?.distinctHosts ?? 0), "\(seen as Any)")
        #expect((seen?.unanswered ?? 0) >= 60)
    }

    @Test func `neighbours that answer are found, and those of one network are not taken together`() {
        for host in UInt8(1)..<120 {
            let time = start + UInt64(host) * 10_000_000
            sensors.see(Frames.neighbor(address(host), address(200)), at: time)
            sensors.see(Frames.neighbor(address(host), address(200), isAnswer: true), at: time + 1000)
        }
        for host in UInt8(130)..<190 {
            let time = start + 2 * second + UInt64(host) * 1_000_000
            sensors.see(Frames.neighbor(address(5), address(host)), at: time)
            sensors.see(Frames.neighbor(address(5), address(host), isAnswer: true), at: time + 1000)
        }
        sensors.sweep(time: start + 6 * second)
        let activities = sensors.takeActivities()
        #expect(activities.compactMap(\.asSource).allSatisfy { $0.distinctFailures <= 4 && $0.length == 128 })
        #expect((last(activities, IPAddress("2001:db8::5"))?.answered ?? 0) >= 50)
    }

    @Test func `who asks whether an address is free tries nobody`() {
        for host in UInt8(1)..<60 {
            sensors.see(Frames.neighbor([UInt8](repeating: 0, count: 16), address(host)), at: start)
        }
        sensors.sweep(time: start + 3 * second)
        #expect(sensors.takeActivities().compactMap(\.asSource).isEmpty)
    }
}
