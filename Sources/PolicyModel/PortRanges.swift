// SPDX-License-Identifier: Apache-2.0

/// Ranges of numbers of 16 bits, wide enough that an end has a successor.
package enum PortRanges {
    /// What is left of some ranges without others, in order.
    package static func subtracting(
        _ removed: [ClosedRange<Int>], from ranges: [ClosedRange<Int>]
    ) -> [ClosedRange<Int>] {
        let gaps = removed.sorted { $0.lowerBound < $1.lowerBound }
        return ranges.flatMap { range in
            var left: [ClosedRange<Int>] = []
            var next = range.lowerBound
            for gap in gaps where gap.overlaps(range) {
                if gap.lowerBound > next { left.append(next...gap.lowerBound - 1) }
                next = max(next, gap.upperBound + 1)
            }
            if next <= range.upperBound { left.append(next...range.upperBound) }
            return left
        }
    }
}
