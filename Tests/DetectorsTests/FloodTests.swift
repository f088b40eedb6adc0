// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import NetworkModel
import Testing

@testable import Detectors

@Suite struct FloodTests {
    private func names(_ activities: [Activity]) -> Set<String> { Set(findings(activities).map(\.detector)) }

    @Test func `30000 SYNs a second are found within a tenth of a second, at the first report over twice the limit`() {
        let found = findings([
            part(0, after: 0.04) {
                $0.syn = 1024
                $0.distinctSources = 1
                $0.topPort = 443
            },
            part(0, after: 0.07) {
                $0.syn = 2048
                $0.distinctSources = 1
                $0.topPort = 443
            },
        ])
        #expect(found.map(\.detector) == ["syn-flood"])
        #expect(found.first?.time == 70_000_000)
        #expect(found.first?.source == nil)
        #expect(found.first?.isSourceForgeable == true)
        #expect(found.first?.port == 443)
        #expect(found.first?.technique == "T1499.001")
    }

    @Test func `2000 SYNs a second are found with the first window that holds half of them`() {
        let found = findings([
            second(0) {
                $0.syn = 400
                $0.topPort = 22
            },
            second(1) {
                $0.syn = 2000
                $0.topPort = 22
            },
        ])
        #expect(found.map(\.detector) == ["syn-flood"])
        #expect(found.first?.time == 2 * Stage.second)
    }

    @Test func `a flash crowd whose handshakes complete is no flood`() {
        #expect(
            names([
                part(0, after: 0.05) {
                    $0.syn = 1500
                    $0.distinctSources = 1200
                    $0.topPort = 443
                },
                second(0) {
                    ($0.syn, $0.established) = (20_000, 19_200)
                    $0.distinctSources = 15_000
                    $0.topPort = 443
                },
            ]).isEmpty)
    }

    @Test func `a fast scan of one source is no SYN flood`() {
        #expect(
            names([
                second(0) {
                    $0.syn = 4000
                    ($0.distinctSources, $0.distinctPorts) = (1, 4000)
                }
            ]).isEmpty)
    }

    @Test func `a slow rise over the baseline is found after the warm-up and not before`() {
        func rise(after quiet: Int) -> [Activity] {
            let usual = (0..<quiet).map { index in
                second(index) {
                    ($0.syn, $0.established) = (300 + UInt64(index % 7), 300)
                    $0.topPort = 443
                }
            }
            let raised = (quiet..<quiet + 6).map { index in
                second(index) {
                    ($0.syn, $0.established) = (900, 100)
                    $0.topPort = 443
                }
            }
            return usual + raised
        }
        #expect(names(rise(after: 100)).isEmpty)
        let found = findings(rise(after: 400))
        #expect(found.first?.detector == "syn-flood")
        #expect(found.first?.time == 403 * Stage.second)
    }

    @Test func `what was always so is learnt, and a flood is not learnt`() {
        // Ten minutes of one-way telemetry below the limit teach more than the limit.
        let usual = (0..<700).map { index in second(index) { $0.udp = 950 + UInt64(index % 20) } }
        let more = (700..<720).map { index in second(index) { $0.udp = 1200 } }
        #expect(names(usual + more).isEmpty)
        var set = DetectorSet()
        let flood = (720..<4000).map { index in second(index) { $0.udp = 50_000 } }
        let found = set.run(usual + flood)
        #expect(found.first?.time == 721 * Stage.second)
        #expect((found.last?.time ?? 0) > 3900 * Stage.second, "an hour of flood is still one, said each minute")
        #expect(found.count < 70)
    }

    @Test func `UDP floods are found, streams that were answered are not`() {
        #expect(names([second(0) { $0.udp = 2000 }]) == ["udp-flood"])
        #expect(names([second(0) { ($0.udp, $0.udpAnswered) = (86_000, 85_900) }]).isEmpty)
        #expect(names([second(0) { ($0.udp, $0.udpAnswered) = (40_000, 39_900) }]).isEmpty)
    }

    @Test(arguments: ["icmp-flood", "fragment-flood"])
    func `other floods are found by their kind, and ordinary amounts are quiet`(name: String) {
        func traffic(_ index: Int, _ count: UInt64) -> Activity {
            second(index) { if name == "icmp-flood" { $0.icmp = count } else { $0.fragments = count } }
        }
        #expect(names([traffic(0, 2000)]) == [name])
        #expect(names((0..<600).map { traffic($0, 20) }).isEmpty)
    }

    @Test func `stray segments are a flood once the sensors have run for half a minute`() {
        func strays(at index: Int) -> Activity {
            second(index) {
                $0.strayTCP = 20_000
                $0.topPort = 80
            }
        }
        #expect(names([strays(at: 0)]).isEmpty)
        #expect(names([second(0) { $0.packets = 3 }, strays(at: 40)]) == ["ack-flood"])
    }

    @Test func `an ACK flood of one source at one port is a flood, a fast ACK scan is none`() {
        func strays(ports: UInt32) -> Activity {
            second(40) { ($0.strayTCP, $0.distinctSources, $0.distinctPorts) = (3000, 1, ports) }
        }
        #expect(names([second(0) { $0.packets = 3 }, strays(ports: 1)]) == ["ack-flood"])
        #expect(names([second(0) { $0.packets = 3 }, strays(ports: 900)]).isEmpty)
    }

    @Test func `answers to a flood of pings are no flood of those whose addresses it bore`() {
        var answers = TargetActivity(
            target: Stage.outsider, isInside: false, since: 0, time: Stage.second, isWhole: true)
        (answers.icmp, answers.packets) = (5000, 5000)
        #expect(findings([.target(answers)]).isEmpty)
        answers.isInside = true
        #expect(names([.target(answers)]) == ["icmp-flood"])
    }

    @Test func `unasked answers of reflectors are amplification, some late ones are not`() {
        let found = findings([
            second(0) {
                ($0.udp, $0.reflected, $0.reflectedBytes) = (5000, 5000, 7_000_000)
                $0.reflectorPort = 123
                $0.distinctSources = 400
            }
        ])
        #expect(found.map(\.detector) == ["amplification"])
        #expect(found.first?.technique == "T1498.002")
        #expect(found.first?.source == nil)
        #expect(found.first?.summary.contains("NTP") == true)
        #expect(names((0..<600).map { index in second(index) { ($0.udp, $0.reflected) = (40, 5) } }).isEmpty)
    }

    @Test func `a flood in which every packet has its own source is forged, and marks scans as forgeable`() {
        var set = DetectorSet()
        let flood = second(0) {
            $0.syn = 30_000
            $0.distinctSources = 28_000
            $0.topPort = 443
        }
        let floods = set.run([flood])
        #expect(Set(floods.map(\.detector)) == ["spoofed-flood", "syn-flood"])
        #expect(floods.allSatisfy { $0.isSourceForgeable })
        var sensor = SourceSensor(Stage.outsider, isInside: false, at: 2)
        for port in 1...20 { sensor.probe(Stage.server, UInt16(port), at: 2 + Double(port) / 100, .refused) }
        let scans = set.run(sensor.take())
        #expect(scans.first?.detector == "port-scan")
        #expect(!scans.contains { !$0.isSourceForgeable })
    }

    @Test func `many real users are not forged sources`() {
        #expect(
            names([
                second(0) {
                    ($0.syn, $0.established) = (3000, 2900)
                    $0.distinctSources = 2500
                    $0.topPort = 443
                }
            ]).isEmpty)
        #expect(names([second(0) { ($0.udp, $0.udpAnswered, $0.distinctSources) = (5000, 4900, 4000) }]).isEmpty)
    }

    @Test func `a clock that jumps neither way raises an alarm nor crashes`() {
        var set = DetectorSet()
        let ordinary = { (index: Int) in second(index) { ($0.syn, $0.established) = (50, 50) } }
        let jumps = [100_000, 5, 4_000_000, 3, 2, 4_000_001]
        #expect(jumps.flatMap { set.consider(ordinary($0)) }.isEmpty)
    }
}
