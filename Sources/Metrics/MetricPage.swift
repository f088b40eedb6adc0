// SPDX-License-Identifier: Apache-2.0

/// The samples of one moment.
///
/// Bounded: a family keeps as many samples as it declares, and the rest as one sum.
package struct MetricPage: Sendable {
    /// Samples of one family in the order in which they came; equal labels are one sample.
    struct Family: Sendable {
        let metric: Metric
        var samples: [[String]: Double] = [:]
        var order: [[String]] = []
        var other: Double?
        var histogram: Histogram?
    }

    /// By name.
    private(set) var families: [String: Family] = [:]
    /// Samples that are only part of a sum, by the name of their family.
    package private(set) var dropped: [String: UInt64] = [:]

    /// Nothing measured yet.
    package init() {}

    /// Adds a sample; values of labels in the order in which the family declares them.
    ///
    /// What is no number is left out: a page says nothing rather than something wrong.
    package mutating func add(_ metric: Metric, _ value: Double, _ labels: String...) {
        add(metric, value, labels: labels)
    }

    /// Adds a count.
    package mutating func add(_ metric: Metric, _ value: some BinaryInteger, _ labels: String...) {
        add(metric, Double(value), labels: labels)
    }

    /// Adds what may not be known.
    package mutating func add(_ metric: Metric, _ value: Double?, _ labels: String...) {
        if let value { add(metric, value, labels: labels) }
    }

    /// Adds a histogram, in place of what the family had.
    package mutating func add(_ metric: Metric, _ histogram: Histogram) {
        families[metric.name, default: Family(metric: metric)].histogram = histogram
    }

    private mutating func add(_ metric: Metric, _ value: Double, labels: [String]) {
        assert(labels.count == metric.labels.count, "\(metric.name) has other labels")
        guard value.isFinite, labels.count == metric.labels.count else { return }
        let labels = labels.map(LabelText.clean)
        var family = families[metric.name] ?? Family(metric: metric)
        families[metric.name] = nil
        if let before = family.samples[labels] {
            family.samples[labels] = before + value
        } else if family.order.count < metric.samplesMax {
            family.samples[labels] = value
            family.order.append(labels)
        } else {
            family.other = (family.other ?? 0) + value
            dropped[metric.name, default: 0] += 1
        }
        families[metric.name] = family
    }
}
