// SPDX-License-Identifier: Apache-2.0

/// How often values fell below fixed bounds.
package struct Histogram: Hashable, Sendable {
    /// Upper bounds, ascending; what is above the last counts only as a whole.
    package let bounds: [Double]
    /// For each bound how many values were not above it and above the bound before; the last is of those above all.
    package private(set) var counts: [UInt64]
    package private(set) var sum = 0.0

    /// Nothing was observed yet.
    package init(bounds: [Double]) {
        self.bounds = bounds
        counts = Array(repeating: 0, count: bounds.count + 1)
    }

    /// How many values there were.
    package var count: UInt64 { counts.reduce(0, &+) }

    /// Takes a value in; what is no number is left out.
    package mutating func observe(_ value: Double) {
        guard value.isFinite else { return }
        counts[bounds.firstIndex { value <= $0 } ?? bounds.count] &+= 1
        sum += value
    }
}
