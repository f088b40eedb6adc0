// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import NetworkModel
import Testing

@testable import Detectors

@Suite struct ScanTests {
    /// Reports of a source that tries `ports` of one host.
    private func vertical(
        _ ports: some Sequence<Int>, every pause: Double, _ outcome: Outcome, isInside: Bool = false,
        kind: Kind? = nil, _ ipProtocol: IPProtocol = .tcp
    ) -> [Activity] {
        var sensor = SourceSensor(isInside ? Stage.workload : Stage.outsider, isInside: isInside)
        var time = 0.0
        for port in ports {
            sensor.probe(Stage.server, UInt16(port), ipProtocol, at: time, outcome, kind: kind)
            time += pause
        }
        sensor.wait(to: time + 5)
        return sensor.take()
    }

    private func first(_ activities: [Activity]) -> (name: String, seconds: Double)? {
        findings(activities).first.map { ($0.detector, Double($0.time) / 1e9) }
    }

    @Test(arguments: [Outcome.refused, .silent])
    func `a scan of 1000 ports is found within a second by one finding`(outcome: Outcome) throws {
        let found = findings(vertical(1...1000, every: 0.001, outcome))
        let scan = try #require(found.first)
        #expect(scan.detector == "port-scan")
        #expect(scan.time < Stage.second)
        #expect(scan.source == Stage.outsider)
        #expect(scan.target == Stage.server)
        #expect(scan.technique == "T1046")
        #expect(!scan.isSourceForgeable)
        #expect(Set(found.map(\.detector)) == ["port-scan"])
    }

    @Test func `UDP scans of which the host refuses six and then keeps silent are found within a second`() throws {
        var sensor = SourceSensor(Stage.outsider, isInside: false)
        for port in 1...1000 {
            sensor.probe(Stage.server, UInt16(port), .udp, at: Double(port) / 2000, port <= 6 ? .refused : .silent)
        }
        let found = try #require(first(sensor.take()))
        #expect(found.name == "port-scan")
        #expect(found.seconds < 1)
    }

    @Test(arguments: [true, false])
    func `a polite scan, a probe in 0.4 seconds, is found within 5 seconds`(isInside: Bool) throws {
        let found = try #require(first(vertical(20...200, every: 0.4, .silent, isInside: isInside)))
        #expect(found.name == "port-scan")
        #expect(found.seconds <= 5)
    }

    @Test(arguments: [(Outcome.silent, true), (.silent, false), (.refused, false), (.denied, false)])
    func `five failed probes, one in five seconds, are found by 26 seconds`(outcome: Outcome, isInside: Bool) throws {
        let found = try #require(first(vertical([22, 80, 443, 3306, 8080], every: 5, outcome, isInside: isInside)))
        #expect(found.name == "slow-scan")
        #expect(found.seconds <= 26)
    }

    @Test(arguments: [Kind.fin, .null, .xmas, .ack])
    func `scans by flags are found within a second`(kind: Kind) throws {
        let found = findings(vertical(1...1000, every: 0.0005, kind == .ack ? .refused : .silent, kind: kind))
        let scan = try #require(found.first)
        #expect(scan.detector == "stealth-scan")
        #expect(scan.time < Stage.second)
    }

    @Test func `late segments of closed connections and a noisy server's are no scan`() {
        for kind in [Kind.ack, .oddFlags] {
            var sensor = SourceSensor(Stage.outsider, isInside: false)
            for index in 0..<2000 {
                let port = UInt16(32_768 + index % 20_000)
                sensor.probe(Stage.workload, port, at: Double(index) / 10, .refused, kind: kind)
            }
            #expect(findings(sensor.take()).isEmpty)
        }
        #expect(findings(vertical(repeatElement(443, count: 3000), every: 0.05, .refused, kind: .ack)).isEmpty)
    }

    @Test func `traceroute to this host is no scan`() {
        #expect(findings(vertical(33_434...33_494, every: 0.05, .refused, .udp)).isEmpty)
    }

    @Test(arguments: [true, false]) func `a horizontal scan is found within a second`(isInside: Bool) throws {
        var sensor = SourceSensor(isInside ? Stage.workload : Stage.outsider, isInside: isInside)
        for index in 1...254 {
            sensor.probe(Stage.address(10, 0, 1, UInt32(index)), 22, at: Double(index) / 400, .refused)
        }
        let found = try #require(findings(sensor.take()).first)
        #expect(found.detector == "network-scan")
        #expect(found.time < Stage.second)
        #expect(found.port == 22)
        #expect(found.target == nil)
    }

    @Test func `a horizontal scan that nothing answers is found within a second of its first probes`() throws {
        var sensor = SourceSensor(Stage.outsider, isInside: false)
        for index in 1...254 {
            sensor.probe(Stage.address(10, 0, 1, UInt32(index)), 22, at: Double(index) / 254, .silent)
        }
        let found = try #require(findings(sensor.take()).first)
        #expect(found.detector == "network-scan")
        #expect(found.time <= Stage.second)
    }

    @Test(arguments: [Kind.icmp, .arp])
    func `sweeps of a network are found, monitoring of hosts that answer is not`(kind: Kind) {
        func sweep(_ outcome: Outcome) -> [Finding] {
            var sensor = SourceSensor(Stage.workload, isInside: true)
            for index in 1...200 {
                let host = Stage.address(10, 0, 2, UInt32(index))
                sensor.probe(host, 0, .icmp, at: Double(index) / 100, outcome, kind: kind)
            }
            sensor.wait(to: 5)
            return findings(sensor.take())
        }
        let found = sweep(.silent)
        #expect(Set(found.map(\.detector)) == ["host-sweep"])
        #expect(found.first?.technique == "T1018")
        #expect((found.first?.time ?? .max) < 2 * Stage.second)
        #expect(sweep(.answered).isEmpty)
    }

    @Test(arguments: [Outcome.silent, .refused])
    func `fan-out of 50 hosts a second is found within 2 seconds`(outcome: Outcome) throws {
        var sensor = SourceSensor(Stage.workload, isInside: true)
        for index in 0..<150 { sensor.probe(Stage.host(index * 257), 445, at: Double(index) / 50, outcome) }
        let worm = try #require(findings(sensor.take()).first { $0.detector == "fan-out" })
        #expect(worm.time <= 2 * Stage.second)
        #expect(worm.source == Stage.workload)
        #expect(worm.severity == .critical)
    }

    @Test(arguments: [0.1, 0.2, 0.3])
    func `a crawler with dead links is quiet for ten minutes`(dead: Double) {
        var sensor = SourceSensor(Stage.workload, isInside: true)
        var random = SystemlessRandom(seed: UInt64(dead * 100))
        for index in 0..<6000 {
            let outcome: Outcome = random.unit() >= dead ? .answered : random.unit() < 0.5 ? .refused : .silent
            sensor.probe(Stage.host(index), 443, at: Double(index) / 10, outcome)
        }
        #expect(findings(sensor.take()).isEmpty)
    }

    @Test func `200 connections opened at once whose answers are under way are quiet`() {
        var sensor = SourceSensor(Stage.workload, isInside: true)
        // The sensor counts the answers when they come: until then there are probes without an outcome.
        for index in 0..<200 { sensor.probe(Stage.host(index), 443, at: Double(index) / 10_000, .silent) }
        let before = sensor.take()
        #expect(findings(before).isEmpty)
    }

    @Test func `200 users behind one address, some of whom mistype, are quiet`() {
        var sensor = SourceSensor(Stage.outsider, isInside: false)
        var random = SystemlessRandom(seed: 7)
        for index in 0..<20_000 {
            let port: UInt16 = [80, 443, 443, 443, 8443][Int(random.next() % 5)]
            sensor.probe(Stage.server, port, at: Double(index) * 0.03, .answered)
            if index % 4000 == 0 { sensor.probe(Stage.server, 8080, at: Double(index) * 0.03, .refused) }
        }
        #expect(findings(sensor.take()).isEmpty)
    }

    @Test func `a monitor with dead targets and a client of one dead service are quiet`() {
        var monitor = SourceSensor(Stage.workload, isInside: true, life: 60)
        var client = SourceSensor(Stage.address(10, 0, 0, 6), isInside: true, life: 60)
        for round in 0..<60 {
            for target in 0..<20 {
                let outcome: Outcome = target < 4 ? .silent : .answered
                monitor.probe(
                    Stage.address(10, 0, 3, UInt32(target)), 9100, at: Double(round * 10) + Double(target) / 10, outcome
                )
            }
            for attempt in 0..<5 { client.probe(Stage.server, 5432, at: Double(round * 10 + attempt * 2), .refused) }
        }
        #expect(findings(monitor.take() + client.take()).isEmpty)
    }

    @Test func `many sources that share a host's ports are found together, the noise of the internet is not`() {
        func minute(_ index: Int, probers: UInt32, ports: UInt32, failed: UInt32) -> Activity {
            second(index) {
                $0.syn = 20
                ($0.distinctProbers, $0.distinctPorts, $0.failedProbes) = (probers, ports, failed)
            }
        }
        let found = findings([minute(0, probers: 60, ports: 200, failed: 240)])
        #expect(found.map(\.detector) == ["distributed-scan"])
        #expect(found.first?.source == nil)
        let noise = (0..<600).map { minute($0, probers: 14, ports: 12, failed: 30) }
        #expect(findings(noise).isEmpty)
        #expect(findings([minute(0, probers: 20, ports: 1000, failed: 1050)]).isEmpty, "one scanner among some noise")
    }

    @Test func `bursts of denials are found, a program that tries one denied service for ever is not`() {
        var prober = SourceSensor(Stage.workload, isInside: true)
        for index in 0..<120 {
            prober.probe(
                Stage.address(10, 0, 0, UInt32(20 + index % 16)), [22, 445][index % 2], at: Double(index) / 4, .denied)
        }
        #expect(findings(prober.take()).contains { $0.detector == "denied-burst" })
        var stubborn = SourceSensor(Stage.workload, isInside: true)
        for index in 0..<1200 { stubborn.probe(Stage.server, 9999, at: Double(index) / 2, .denied) }
        #expect(findings(stubborn.take()).isEmpty)
    }

    @Test func `a scan is said once, then as it doubles, not with every report`() {
        let found = findings(vertical(1...60_000, every: 0.001, .refused))
        #expect(found.count <= 16)
        #expect(Set(found.map(\.key)).count == 1)
        #expect(Set(found.map(\.since)).count == 1)
    }

    @Test func `a flood of new sources does not push out who is half way through a scan`() {
        var scanner = SourceSensor(Stage.outsider, isInside: false)
        var activities: [Activity] = []
        for (index, port) in [22, 80, 443, 3306, 8080].enumerated() {
            scanner.probe(Stage.server, UInt16(port), at: Double(index * 5), .refused)
        }
        for activity in scanner.take() {
            activities.append(activity)
            for index in 0..<5000 {
                var noise = SourceActivity(
                    source: IPAddress(v4: UInt32(truncatingIfNeeded: activity.time / 1000) &+ UInt32(index)),
                    length: 32,
                    isInside: false, since: activity.time, time: activity.time + UInt64(index))
                (noise.probes.syn, noise.distinctPairs, noise.distinctPorts, noise.distinctHosts) = (1, 1, 1, 1)
                activities.append(.source(noise))
            }
        }
        var set = DetectorSet()
        #expect(set.run(activities).contains { $0.detector == "slow-scan" && $0.source == Stage.outsider })
        #expect(set.forgotten > 0)
    }
}

/// A generator with a fixed seed (splitmix64).
struct SystemlessRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// Between 0 and 1.
    mutating func unit() -> Double { Double(next() >> 11) / Double(1 << 53) }
}
