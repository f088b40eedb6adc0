// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import NetworkModel
import Testing

@testable import Detectors

@Suite struct DetectorSetTests {
    private let flood = second(0) {
        $0.syn = 30_000
        $0.topPort = 80
    }

    @Test func `a detector that is off says nothing, and thresholds can be changed`() {
        #expect(findings([flood]).map(\.detector) == ["syn-flood"])
        #expect(findings([flood], DetectorConfiguration(off: ["syn-flood"])).isEmpty)
        let high = DetectorConfiguration(thresholds: ["syn-flood": ["perSecond": 50_000]])
        #expect(high.faults.isEmpty)
        #expect(findings([flood], high).isEmpty)
    }

    @Test func `a configuration that makes no sense is refused with what would`() {
        let wrong = DetectorConfiguration(
            off: ["syn-fluid"], thresholds: ["port-scan": ["failedProbes": 0, "portz": 3], "beacon": ["jitter": 0.1]])
        #expect(wrong.faults.count == 3)
        #expect(wrong.faults[0].hasPrefix("there is no detector syn-fluid; there are ack-flood, amplification"))
        #expect(wrong.faults[1].contains("failedProbes of detector port-scan is 0.0, allowed are 2.0 to"))
        #expect(wrong.faults[2].hasPrefix("detector port-scan has no threshold portz; it has failedProbes"))
        #expect(findings([flood], wrong).map(\.detector) == ["syn-flood"])
    }

    @Test func `every detector has a name of its own, a source, a threshold, a technique and a reason to be quiet`() {
        let guides = DetectorCatalogue.guides
        #expect(Set(guides.map(\.name)).count == guides.count)
        #expect(guides.count >= 20)
        for guide in guides {
            #expect(guide.technique.wholeMatch(of: /T\d{4}(\.\d{3})?/) != nil, "\(guide.name)")
            #expect(!guide.sources.isEmpty && !guide.thresholds.isEmpty && !guide.evidence.isEmpty, "\(guide.name)")
            #expect(!guide.nearMisses.isEmpty && !guide.limits.isEmpty && guide.capacity > 0, "\(guide.name)")
            #expect(Set(guide.thresholds.map(\.name)).count == guide.thresholds.count, "\(guide.name)")
            for threshold in guide.thresholds {
                #expect(threshold.range.contains(threshold.standard), "\(guide.name) \(threshold.name)")
            }
        }
    }

    @Test func `evidence in findings is what the page lists`() {
        var scan = SourceSensor(Stage.outsider, isInside: false)
        for port in 1...100 { scan.probe(Stage.server, UInt16(port), at: Double(port) / 100, .refused) }
        for finding in findings([flood] + scan.take()) {
            let listed = DetectorCatalogue.guides.first { $0.name == finding.detector }?.evidence.map(\.name) ?? []
            for evidence in finding.evidence { #expect(listed.contains(evidence.name), "\(finding.detector)") }
        }
    }

    @Test func `memory stays bounded under very many sources, targets, pairs and zones`() {
        var set = DetectorSet()
        for index in 0..<150_000 {
            let address = IPAddress(v4: UInt32(truncatingIfNeeded: index &* 2_654_435_761))
            let time = UInt64(index) * 1000
            var source = SourceActivity(source: address, length: 32, isInside: index % 2 == 0, since: time, time: time)
            (source.distinctPairs, source.distinctFailures, source.denied) = (3, 3, 3)
            _ = set.consider(.source(source))
            guard index % 10 == 0 else { continue }
            var pair = PairActivity(
                client: address, server: Stage.server, port: 80, ipProtocol: .tcp, isClientInside: true,
                isServerInside: false, since: time, time: time)
            pair.connections = 1
            _ = set.consider(.pair(pair))
            var zone = ZoneActivity(
                client: address, isClientInside: true, zone: "z\(index).example", since: time, time: time)
            (zone.queries, zone.distinctNames, zone.nameBytes, zone.entropy) = (10, 10, 400, 400)
            _ = set.consider(.zone(zone))
            _ = set.consider(second(index / 1000, of: address) { $0.syn = 3 })
        }
        #expect(set.forgotten > 500_000)
    }

    @Test func `records that were given up are the lightest`() {
        struct Record: Remembered {
            var touched: UInt64
            var weight: Double
        }
        var table = BoundedTable<Int, Record>(capacity: 64, lifetime: 1_000_000)
        table.update(-1, at: 0, initial: { Record(touched: 0, weight: 100) }, { _ in })
        for key in 0..<10_000 {
            table.update(key, at: UInt64(key), initial: { Record(touched: UInt64(key), weight: 1) }, { _ in })
        }
        #expect(table.count == 64)
        #expect(table[-1]?.weight == 100)
        #expect(table.forgotten == 10_000 - 63)
        table.remove(-1)
        #expect(table[-1] == nil)
        #expect(table.count == 63)
        for key in 0..<64 {
            table.update(key, at: 2_000_000, initial: { Record(touched: 2_000_000, weight: 1) }, { _ in })
        }
        #expect(table[63] != nil)
    }

    @Test func `a baseline learns what is usual, forgets in silence and is hard to poison`() {
        var baseline = Baseline()
        for index in 0..<1000 {
            baseline.learn(100 + Double(index % 11) - 5, since: UInt64(index), window: 1, memory: 600)
        }
        #expect(abs(baseline.mean - 100) < 2)
        #expect(baseline.deviation < 5)
        let before = baseline.upper(8)
        for index in 1000..<1010 { baseline.learn(1_000_000, since: UInt64(index), window: 1, memory: 600) }
        #expect(baseline.upper(8) < before * 1.5)
        baseline.learn(0, since: 100_000, window: 1, memory: 600)
        #expect(baseline.mean < 1)
    }
}
