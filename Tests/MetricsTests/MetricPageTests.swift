// SPDX-License-Identifier: Apache-2.0

import Metrics
import Testing

@Suite struct MetricPageTests {
    private func text(_ page: MetricPage, _ format: MetricFormat = .prometheus) -> String {
        String(decoding: page.text(format), as: UTF8.self)
    }

    @Test func `a counter is told in either format`() {
        var page = MetricPage()
        page.add(.droppedBytes, 7, "policy-deny", "ingress")
        #expect(
            text(page) == """
                # HELP bulkhead_dropped_bytes_total Bytes (IP length) of dropped packets.
                # TYPE bulkhead_dropped_bytes_total counter
                bulkhead_dropped_bytes_total{reason="policy-deny",direction="ingress"} 7

                """)
        #expect(
            text(page, .openMetrics) == """
                # HELP bulkhead_dropped_bytes Bytes (IP length) of dropped packets.
                # TYPE bulkhead_dropped_bytes counter
                # UNIT bulkhead_dropped_bytes bytes
                bulkhead_dropped_bytes_total{reason="policy-deny",direction="ingress"} 7
                # EOF

                """)
    }

    @Test func `an empty page is one in either format`() {
        #expect(text(MetricPage()) == "")
        #expect(text(MetricPage(), .openMetrics) == "# EOF\n")
    }

    @Test func `a histogram has ascending buckets, a sum and a count`() {
        var histogram = Histogram(bounds: [0.5, 1])
        for value in [0.25, 0.5, 0.75, 4, .nan, .infinity] { histogram.observe(value) }
        var page = MetricPage()
        page.add(.commitSeconds, histogram)
        let lines = text(page).split(separator: "\n").dropFirst(2).map(String.init)
        let name = "bulkhead_commit_duration_seconds"
        #expect(
            lines == [
                "\(name)_bucket{le=\"0.5\"} 2", "\(name)_bucket{le=\"1.0\"} 3", "\(name)_bucket{le=\"+Inf\"} 4",
                "\(name)_sum 5.5", "\(name)_count 4",
            ])
    }

    @Test func `hostile names end as one line each that can be read`() {
        var page = MetricPage()
        let names = [
            "a\"} 1\nbulkhead_ready 1", "back\\slash", "tab\there", "\u{1b}[31m", "<script>", "\u{202e}abc",
            String(repeating: "x", count: 65_536), String(repeating: "é", count: 100), "", "\u{0}", "🙂",
        ]
        for name in names { page.add(.feedPackets, 1, name) }
        let lines = text(page).split(separator: "\n").dropFirst(2)
        #expect(lines.count == names.count)
        for line in lines {
            #expect(line.hasPrefix("bulkhead_feed_packets_total{feed=\""))
            #expect(line.hasSuffix("\"} 1"))
            #expect(line.utf8.count < 300)
            #expect(!line.unicodeScalars.contains { $0.value < 0x20 || $0 == "\u{202e}" })
        }
        #expect(lines.contains { $0.contains("a\\\"} 1?bulkhead_ready 1") })
        #expect(lines.contains { $0.contains("back\\\\slash") })
        #expect(lines.filter { $0.contains("…") }.count == 2)
    }

    @Test func `names that become the same are one sample`() {
        var page = MetricPage()
        page.add(.feedPackets, 2, "a\u{1}")
        page.add(.feedPackets, 3, "a\u{2}")
        #expect(text(page).hasSuffix("\nbulkhead_feed_packets_total{feed=\"a?\"} 5\n"))
    }

    @Test func `what is too much is a sum, and counted`() {
        var page = MetricPage()
        let room = Metric.feedPackets.samplesMax
        for number in 0..<room + 10 { page.add(.feedPackets, 1, "feed \(number)") }
        let lines = text(page).split(separator: "\n").dropFirst(2)
        #expect(lines.count == room + 1)
        #expect(lines.last == "bulkhead_feed_packets_total{feed=\"other\"} 10")
        #expect(page.dropped == ["bulkhead_feed_packets_total": 10])
    }

    @Test func `somebody called as the sum is has one line with it`() {
        var page = MetricPage()
        page.add(.feedPackets, 5, "other")
        for number in 1..<Metric.feedPackets.samplesMax + 3 { page.add(.feedPackets, 1, "feed \(number)") }
        let lines = text(page).split(separator: "\n").filter { $0.contains("\"other\"") }
        #expect(lines == ["bulkhead_feed_packets_total{feed=\"other\"} 8"])
    }

    @Test func `what is no number is not told`() {
        var page = MetricPage()
        page.add(.startTime, Double.nan)
        page.add(.startTime, nil as Double?)
        #expect(text(page) == "")
    }

    @Test func `random names never break the form`() throws {
        var numbers = SystemRandomNumberGenerator()
        // By scalars, as a parser reads: what combines with a quote does not hide it.
        let value = #""(?:[^"\\\n]|\\[\\"n])*""#
        let line = try Regex(#"bulkhead_rule_packets_total\{policy=\#(value),rule=\#(value)\} [0-9]+"#)
            .matchingSemantics(.unicodeScalar)
        for _ in 0..<200 {
            var page = MetricPage()
            for _ in 0..<5 {
                let name = { (numbers: inout SystemRandomNumberGenerator) in
                    String(
                        decoding: (0..<Int.random(in: 0...300, using: &numbers)).map { _ in
                            UInt8.random(in: 0...255, using: &numbers)
                        }, as: UTF8.self)
                }
                page.add(.rulePackets, 1, name(&numbers), name(&numbers))
            }
            for text in text(page).split(separator: "\n", omittingEmptySubsequences: false).dropFirst(2).dropLast() {
                #expect(try line.wholeMatch(in: String(text)) != nil, "\(text)")
                #expect(text.utf8.count < 600)
            }
        }
    }
}
