// SPDX-License-Identifier: Apache-2.0

extension MetricPage {
    /// The page as a text, in the order of the catalogue.
    ///
    /// A family that is not in the catalogue is not told.
    package func text(_ format: MetricFormat) -> [UInt8] {
        var text = ""
        for metric in MetricCatalogue.all {
            guard let family = families[metric.name] else { continue }
            MetricPage.head(metric, format, into: &text)
            if let histogram = family.histogram { MetricPage.lines(metric, histogram, into: &text) }
            let rest = metric.labels.map { _ in "other" }
            var other = family.other
            for labels in family.order {
                var value = family.samples[labels] ?? 0
                // Somebody may be called so.
                if labels == rest, let sum = other { (value, other) = (value + sum, nil) }
                MetricPage.line(metric.name, metric.labels, labels, value, into: &text)
            }
            if let other { MetricPage.line(metric.name, metric.labels, rest, other, into: &text) }
        }
        if format == .openMetrics { text += "# EOF\n" }
        return Array(text.utf8)
    }

    private static func head(_ metric: Metric, _ format: MetricFormat, into text: inout String) {
        let name = format == .openMetrics ? metric.familyName : metric.name
        text += "# HELP \(name) \(format == .openMetrics ? LabelText.escaped(metric.help) : plainHelp(metric.help))\n"
        text += "# TYPE \(name) \(metric.kind.rawValue)\n"
        if format == .openMetrics, let unit = metric.unit { text += "# UNIT \(name) \(unit)\n" }
    }

    /// The older format leaves quotes as they are.
    private static func plainHelp(_ help: String) -> String {
        help.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
    }

    private static func lines(_ metric: Metric, _ histogram: Histogram, into text: inout String) {
        var sum: UInt64 = 0
        for (bound, count) in zip(histogram.bounds, histogram.counts) {
            sum &+= count
            line(metric.name + "_bucket", ["le"], ["\(bound)"], Double(sum), into: &text)
        }
        line(metric.name + "_bucket", ["le"], ["+Inf"], Double(histogram.count), into: &text)
        line(metric.name + "_sum", [], [], histogram.sum, into: &text)
        line(metric.name + "_count", [], [], Double(histogram.count), into: &text)
    }

    private static func line(
        _ name: String, _ labels: [String], _ values: [String], _ value: Double, into text: inout String
    ) {
        text += name
        if !labels.isEmpty {
            text += "{"
            for (index, label) in labels.enumerated() {
                if index > 0 { text += "," }
                text += label
                text += "=\""
                text += LabelText.escaped(values[index])
                text += "\""
            }
            text += "}"
        }
        text += " "
        if let whole = Int64(exactly: value) { text += String(whole) } else { text += "\(value)" }
        text += "\n"
    }
}
