// SPDX-License-Identifier: Apache-2.0

import BPFRuntime
import CDatapathABI
import DetectionModel
import KernelDatapath
import KernelPrograms
import NetworkModel
import PrefixTables
import Testing

/// The sensors in the kernel and over plain memory see the same packets and say the same.
@Suite struct SensorTests {
    private static let server = IPAddress(v4: 0x0a00_0001), stranger = IPAddress(v4: 0xc633_6401)

    /// TCP over IPv4 in Ethernet.
    private static func tcp(
        _ source: IPAddress, _ sourcePort: UInt16, _ target: IPAddress, _ port: UInt16, _ flags: UInt8,
        number: UInt32 = 1
    ) -> [UInt8] {
        func two(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 255)] }
        func four(_ value: UInt32) -> [UInt8] { two(UInt16(value >> 16)) + two(UInt16(value & 0xffff)) }
        let header: [UInt8] = two(sourcePort) + two(port) + four(number) + four(0) + [0x50, flags, 1, 0, 0, 0, 0, 0]
        return [UInt8](repeating: 2, count: 12) + [8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0]
            + four(source.v4Bits) + four(target.v4Bits) + header
    }

    private static func last(_ activities: [Activity], _ source: IPAddress) -> SourceActivity? {
        activities.reduce(nil) { found, activity in
            if case .source(let activity) = activity, activity.source == source { activity } else { found }
        }
    }

    /// The same but for the clock.
    private static func timeless(_ activity: SourceActivity?) -> SourceActivity? {
        guard var activity else { return nil }
        (activity.since, activity.time) = (0, 0)
        return activity
    }

    @Test func `a scan is the same to the kernel as over plain memory`() throws {
        let both = try SensorPair()
        for port in UInt16(1)...200 {
            try both.arrive(SensorTests.tcp(SensorTests.stranger, 40_000, SensorTests.server, port, 0x02))
            let answer: UInt8 = port % 50 == 0 ? 0x12 : 0x14
            if port % 3 > 0 {
                try both.leave(
                    SensorTests.tcp(SensorTests.server, port, SensorTests.stranger, 40_000, answer, number: 0))
            }
        }
        let (kernel, native) = both.reports()
        let seen = try #require(SensorTests.last(kernel, SensorTests.stranger))
        #expect(SensorTests.timeless(seen) == SensorTests.timeless(SensorTests.last(native, SensorTests.stranger)))
        #expect(seen.probes.syn > 150 && seen.refused > 100 && seen.answered > 0 && seen.distinctFailures > 100)
        #expect((170...230).contains(seen.distinctPorts) && seen.distinctHosts == 1 && !seen.isInside)
    }

    /// Of frames most of what feeds drop is dropped before it is read, of packets nothing is.
    @Test(arguments: [ShieldMode.enforce, .monitor], [true, false])
    func `what a feed or a block drops is not told to the sensors, what it would drop is`(
        mode: ShieldMode, isFrame: Bool
    ) throws {
        let object = try BPFObject(.prefilter)
        try object.keep(programs: ["xdp_prefilter", "tc_prefilter"])
        try object.load()
        let frames = try object.program("xdp_prefilter"), packets = try object.program("tc_prefilter")
        var tables = try ShieldTables(object)
        var sensors = try ShieldSensors(object)
        sensors.switchOn(hasEndpoints: false, key: SensorPair.key, sampleMask: 0, budget: 0)
        var settings = ShieldSettings()
        settings.mode = mode
        try tables.configure(settings, hasReflectorFilter: false)
        let blocked = IPAddress(v4: 0xc633_6402), other = IPAddress(v4: 0xc633_6403)
        var listed = [RangePrefix(CIDR(host: SensorTests.stranger), value: 1)]
        try tables.replaceFeeds(isIPv4: true, &listed)
        try tables.block(CIDR(host: blocked), for: .seconds(60))
        for source in [SensorTests.stranger, blocked, other] {
            for port in UInt16(100)...300 {
                let frame = SensorTests.tcp(source, 40_000, SensorTests.server, port, 0x02)
                let passes =
                    try isFrame ? frames.testRunFrame(frame).action == 2 : packets.testRun(packet: frame).verdict != 2
                #expect(passes == (mode == .monitor || source == other))
            }
        }
        let activities = sensors.poll(now: ShieldSensors.now() + 3_000_000_000)
        #expect(SensorTests.last(activities, other) != nil)
        for source in [SensorTests.stranger, blocked] {
            #expect((SensorTests.last(activities, source) != nil) == (mode == .monitor), "\(source)")
        }
    }

    @Test(arguments: [UInt8(0x00), 0x01, 0x29, 0x03])
    func `segments that the prefilter drops for their flags are sensed all the same`(flags: UInt8) throws {
        let both = try SensorPair()
        for port in UInt16(1)...40 {
            try both.arrive(SensorTests.tcp(SensorTests.stranger, 40_000, SensorTests.server, port, flags))
        }
        let (kernel, native) = both.reports()
        let seen = try #require(SensorTests.last(kernel, SensorTests.stranger))
        #expect(SensorTests.timeless(seen) == SensorTests.timeless(SensorTests.last(native, SensorTests.stranger)))
        #expect(seen.probes.total >= 32 && seen.probes.syn == 0)
    }

    @Test func `seconds of a target are the same, and forged sources are estimated`() throws {
        let both = try SensorPair()
        for number in UInt32(0)..<3000 {
            let source = IPAddress(v4: 0x2000_0000 &+ number &* 7919)
            try both.arrive(SensorTests.tcp(source, 999, SensorTests.server, 80, 0x02))
        }
        let (kernel, native) = both.reports()
        func sum(_ activities: [Activity]) -> (syn: UInt64, sources: UInt32, reports: Int) {
            activities.reduce(into: (0, 0, 0)) { sum, activity in
                guard case .target(let target) = activity else { return }
                sum.2 += 1
                if target.isWhole { (sum.0, sum.1) = (sum.0 + target.syn, max(sum.1, target.distinctSources)) }
            }
        }
        #expect(sum(kernel).syn == 3000 && sum(native).syn == 3000)
        #expect(sum(kernel).sources > 300 && sum(kernel).reports >= 3)
    }

    @Test func `probes to very many ports from inside are seen where they leave`() throws {
        let both = try SensorPair()
        for host in UInt32(1)...60 {
            let target = IPAddress(v4: SensorTests.stranger.v4Bits + host)
            try both.leave(SensorTests.tcp(SensorTests.server, UInt16(30_000 + host), target, 445, 0x02))
        }
        let (kernel, native) = both.reports()
        let seen = try #require(SensorTests.last(kernel, SensorTests.server))
        #expect(SensorTests.timeless(seen) == SensorTests.timeless(SensorTests.last(native, SensorTests.server)))
        #expect(seen.isInside && seen.distinctHosts > 45 && seen.distinctPorts == 1 && seen.unanswered > 40)
    }

    @Test(arguments: [
        (program: "tc_sense_out", isOut: true, isDenied: false), ("tc_sense_out_denied", true, true),
        ("tc_sense_in", false, false), ("tc_sense_in_denied", false, true),
    ])
    func `what the endpoints' programs hand on keeps its verdict and is sensed`(
        program: String, isOut: Bool, isDenied: Bool
    ) throws {
        let object = try BPFObject(.prefilter)
        try object.keep(programs: [program, "xdp_prefilter"])
        try object.load()
        let sense = try object.program(program)
        let frames = try object.program("xdp_prefilter")
        var sensors = try ShieldSensors(object)
        sensors.switchOn(hasEndpoints: true, key: SensorPair.key, sampleMask: 0, budget: 0)
        let from = isOut ? SensorTests.server : SensorTests.stranger,
            to = isOut ? SensorTests.stranger : SensorTests.server
        for port in UInt16(1)...12 {
            let frame = SensorTests.tcp(from, 40_000, to, port, 0x02)
            if !isOut { _ = try frames.testRunFrame(frame) }
            let verdict = try sense.testRun(packet: frame).verdict
            #expect(verdict == (isDenied ? 2 : UInt32(bitPattern: -1)))
        }
        let seen = try #require(SensorTests.last(sensors.poll(now: ShieldSensors.now() + 3_000_000_000), from))
        #expect(seen.probes.syn >= 10 && seen.probes.syn <= 12, "counted once wherever it is seen")
        #expect(isDenied ? seen.denied >= 8 : seen.denied == 0)
    }

    @Test(arguments: [UInt16(40_000), 40_001, 40_002])
    func `under load a few packets are looked at and stand for all`(port: UInt16) throws {
        let object = try BPFObject(.prefilter)
        try object.keep(programs: ["xdp_prefilter"])
        try object.load()
        let frames = try object.program("xdp_prefilter")
        var sensors = try ShieldSensors(object)
        sensors.switchOn(hasEndpoints: false, key: SensorPair.key, sampleMask: 0, budget: 64)
        let frame = SensorTests.tcp(SensorTests.stranger, port, SensorTests.server, 80, 0x02)
        for _ in 0..<4 { _ = try frames.testRunFrame(frame, repeatCount: 500_000) }
        let syn = sensors.poll(now: ShieldSensors.now() + 3_000_000_000).reduce(UInt64(0)) { sum, activity in
            if case .target(let target) = activity, target.isWhole { sum + target.syn } else { sum }
        }
        #expect((1_500_000...2_500_000).contains(syn), "\(syn)")
        #expect(try sensors.count(Int(SENSE_COUNT_LOOKED_AT)) < 600_000)
    }

    @Test func `sensors that are off see nothing`() throws {
        let object = try BPFObject(.prefilter)
        try object.keep(programs: ["xdp_prefilter"])
        try ShieldSensors.shrink(object)
        try object.load()
        let frames = try object.program("xdp_prefilter")
        var sensors = try ShieldSensors(object)
        for port in UInt16(1)...40 {
            _ = try frames.testRunFrame(SensorTests.tcp(SensorTests.stranger, 40_000, SensorTests.server, port, 0x02))
        }
        #expect(sensors.poll(now: ShieldSensors.now() + 3_000_000_000).isEmpty)
        #expect(try sensors.count(Int(SENSE_COUNT_LOOKED_AT)) == 0)
    }

    @Test func `all tables together take less than 64 MB`() {
        #expect(ShieldSensors.memory <= 64 << 20)
    }
}
