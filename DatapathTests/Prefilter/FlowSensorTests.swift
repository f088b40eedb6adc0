// SPDX-License-Identifier: Apache-2.0

import BPFRuntime
import CDatapathABI
import DetectionModel
import KernelDatapath
import KernelPrograms
import NetworkModel
import Testing

/// What the kernel's sensors remember of flows: handshakes by their numbers, and questions wherever they were seen.
extension DatapathTests {
    @Suite struct FlowSensorTests {
        private func sources(_ activities: [Activity]) -> [SourceActivity] {
            activities.compactMap { activity in
                if case .source(let source) = activity { source } else { nil }
            }
        }

        private func segment(
            _ source: IPAddress, _ port: UInt16, _ target: IPAddress, _ targetPort: UInt16, _ flags: TCPFlags,
            number: UInt32, acknowledged: UInt32 = 0
        ) -> [UInt8] {
            let header = source.isIPv4 ? 20 : 40
            return Packet.ip(source, to: target).tcp(port, targetPort, flags)
                .patch(header + 4, number.networkOrder + acknowledged.networkOrder).bytes
        }

        @Test(arguments: Family.allCases, [true, false])
        func `a handshake counts by its acknowledgement, to the kernel and over plain memory`(
            _ family: Family, isForged: Bool
        ) throws {
            let both = try SensorPair()
            for number in UInt32(0)..<64 {
                let port = UInt16(20_000 + number), answer = number &* 0x0765_4321
                try both.arrive(segment(family.stranger, port, family.own, 22, .syn, number: 7))
                try both.leave(segment(family.own, 22, family.stranger, port, .synAck, number: answer))
                let acknowledged = isForged ? answer &- 5 : answer &+ 900
                try both.arrive(
                    segment(
                        family.stranger, port, family.own, 22, .finAck, number: 8, acknowledged: acknowledged))
            }
            let (kernel, native) = both.reports()
            for activities in [kernel, native] {
                let seen = try #require(sources(activities).filter { !$0.isInside }.map(\.established).max())
                #expect(isForged ? seen == 0 : seen >= 60, "\(seen)")
            }
        }

        @Test
        func `what a workload answers is no probe, though who asked it was seen under another address or by nobody`()
            throws
        {
            let family = Family.v4
            let object = try BPFObject(.prefilter)
            try object.keep(programs: ["xdp_prefilter", "tc_prefilter_asked", "tc_sense_in", "tc_sense_out"])
            try object.load()
            let frames = try object.program("xdp_prefilter"), leaving = try object.program("tc_prefilter_asked")
            let toWorkload = try object.program("tc_sense_in"), fromWorkload = try object.program("tc_sense_out")
            var sensors = try ShieldSensors(object)
            sensors.switchOn(hasEndpoints: true, key: SensorPair.key, sampleMask: 0, budget: 0)
            let host = family.ownSecond, workload = family.own
            for number in UInt16(0)..<100 {
                // The service's port is the higher one: nothing of this is told by the ports.
                let port = 2000 + number
                // Published by the host as its port 9053, and translated.
                _ = try frames.testRunFrame(Packet.ip(family.stranger, to: host).udp(port, 9053).bytes)
                _ = try toWorkload.testRun(packet: Packet.ip(family.stranger, to: workload).udp(port, 9000).bytes)
                _ = try fromWorkload.testRun(packet: Packet.ip(workload, to: family.stranger).udp(9000, port).bytes)
                _ = try leaving.testRun(packet: Packet.ip(host, to: family.stranger).udp(9053, port).bytes)
                // Asked by the host itself.
                _ = try toWorkload.testRun(packet: Packet.ip(host, to: workload).udp(port, 9001).bytes)
                _ = try fromWorkload.testRun(packet: Packet.ip(workload, to: host).udp(9001, port).bytes)
            }
            let seen = sources(sensors.poll(now: ShieldSensors.now() + 3_000_000_000))
            #expect(!seen.contains { $0.source == workload && $0.probes.total > 0 }, "\(seen)")
            #expect(try sensors.count(Int(SENSE_COUNT_LOOKED_AT)) == 600)
        }

        @Test func `under load on one processor all follow the same share, and the whole again when it is over`()
            async throws
        {
            let family = Family.v4
            let object = try BPFObject(.prefilter)
            try object.keep(programs: ["xdp_prefilter", "tc_prefilter_asked"])
            try object.load()
            let frames = try object.program("xdp_prefilter"), leaving = try object.program("tc_prefilter_asked")
            let sensors = try ShieldSensors(object)
            sensors.switchOn(hasEndpoints: false, key: SensorPair.key, sampleMask: 0, budget: 64)
            let bulk = Packet.ip(family.stranger, to: family.own).udp(5201, 40_000).bytes
            func lookedAt(_ body: () throws -> Void) throws -> UInt64 {
                let before = try sensors.count(Int(SENSE_COUNT_LOOKED_AT))
                try body()
                return try sensors.count(Int(SENSE_COUNT_LOOKED_AT)) - before
            }
            func ask(_ first: UInt16) throws {
                try onCPU(1) {
                    for port in first..<first + 600 {
                        _ = try leaving.testRun(packet: Packet.ip(family.own, to: family.peer).udp(port, 8000).bytes)
                    }
                }
            }
            try onCPU(0) { _ = try frames.testRunFrame(bulk, repeatCount: 1_000_000) }
            let during = try lookedAt { try ask(20_000) }
            #expect(during < 300, "\(during) of 600")
            try await Task.sleep(for: .milliseconds(2200))
            // A few at a time, as the budget of this test is small.
            let after = try lookedAt {
                for port in stride(from: UInt16(30_000), to: 30_040, by: 4) {
                    try onCPU(1) {
                        for port in port..<port + 4 {
                            _ = try leaving.testRun(
                                packet: Packet.ip(family.own, to: family.peer).udp(port, 8000).bytes)
                        }
                    }
                }
            }
            #expect(after == 40, "\(after) of 40")
        }
    }
}
