// SPDX-License-Identifier: Apache-2.0

import Metrics
import Testing

@Suite struct MetricCatalogueTests {
    @Test func `every name is once in the catalogue and as Prometheus wants it`() throws {
        let names = MetricCatalogue.all.map(\.name)
        #expect(Set(names).count == names.count)
        for metric in MetricCatalogue.all {
            #expect(metric.name.wholeMatch(of: /(bulkhead|process)_[a-z0-9_]*[a-z0-9]/) != nil, "\(metric.name)")
            #expect((metric.kind == .counter) == metric.name.hasSuffix("_total"), "\(metric.name)")
            #expect(metric.help.hasSuffix("."), "\(metric.name)")
            #expect(metric.samplesMax <= 1000, "\(metric.name)")
            for label in metric.labels {
                #expect(label.wholeMatch(of: /[a-z]+(_[a-z]+)*/) != nil && label != "le", "\(metric.name) \(label)")
            }
            #expect(Set(metric.labels).count == metric.labels.count)
            #expect(metric.kind != .histogram || metric.labels.isEmpty, "\(metric.name)")
        }
    }

    @Test func `the worst page that the catalogue allows is not boundless`() {
        let samples = MetricCatalogue.all.reduce(0) { $0 + ($1.labels.isEmpty ? 1 : $1.samplesMax + 1) }
        #expect(samples < 10_000)
    }

    @Test func `units are those in the names`() {
        #expect(Metric.droppedBytes.unit == "bytes")
        #expect(Metric.commitSeconds.unit == "seconds")
        #expect(Metric.droppedPackets.unit == nil)
        #expect(Metric.droppedPackets.familyName == "bulkhead_dropped_packets")
    }
}
