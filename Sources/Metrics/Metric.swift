// SPDX-License-Identifier: Apache-2.0

/// One family of samples as it is declared: its name is part of the interface.
package struct Metric: Hashable, Sendable {
    /// What its numbers do.
    package enum Kind: String, Hashable, Sendable {
        /// Only grows, and begins anew where its source does.
        case counter
        case gauge
        case histogram
    }

    /// As the text format of Prometheus has it; a counter ends in `_total`.
    package let name: String
    package let kind: Kind
    package let help: String
    package let labels: [String]
    /// Samples beyond these are summed up in one, whose labels all say `other`.
    package let samplesMax: Int

    /// Declares a family; what it is called with is checked by the tests of the catalogue.
    package init(
        _ name: String, _ kind: Kind, _ help: String, labels: [String] = [], samplesMax: Int = 200
    ) {
        self.name = name
        self.kind = kind
        self.help = help
        self.labels = labels
        self.samplesMax = samplesMax
    }

    /// Base units that a name may end in.
    static let units = ["seconds", "bytes", "ratio"]

    /// The name without `_total`, as OpenMetrics calls the family of a counter.
    package var familyName: String {
        kind == .counter && name.hasSuffix("_total") ? String(name.dropLast("_total".count)) : name
    }

    /// The unit in the name; nil: a number of things.
    package var unit: String? { Metric.units.first { familyName.hasSuffix("_\($0)") } }
}
