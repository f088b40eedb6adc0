// SPDX-License-Identifier: Apache-2.0

extension [RangePrefix] {
    /// Sorts by `isBefore`, which must look at `high` before all else.
    ///
    /// By counting, 16 bits of `high` at a time from the lowest on; only what shares all of it is compared. Of a million
    /// prefixes comparing takes more time than everything else of a load.
    package mutating func sortByAddress(_ isBefore: (RangePrefix, RangePrefix) -> Bool) {
        // Below, the counters cost more than what they save.
        guard count > 16_384 else { return sort(by: isBefore) }
        var counts = [Int](repeating: 0, count: 4 << 16)
        for prefix in self { for digit in 0..<4 { counts[RangePrefix.counter(digit, prefix)] += 1 } }
        var other = self
        for digit in 0..<4 {
            // Nothing moves where all have the same, as in the lower half of IPv4.
            if counts[RangePrefix.counter(digit, self[0])] == count { continue }
            var next = 0
            for index in (digit << 16)..<((digit + 1) << 16) {
                let here = counts[index]
                counts[index] = next
                next += here
            }
            for prefix in self {
                let index = RangePrefix.counter(digit, prefix)
                other[counts[index]] = prefix
                counts[index] += 1
            }
            swap(&self, &other)
        }
        var start = 0
        while start < count {
            var end = start + 1
            while end < count, self[end].high == self[start].high { end += 1 }
            if end - start > 1 { self[start..<end].sort(by: isBefore) }
            start = end
        }
    }
}

extension RangePrefix {
    /// Which counter a prefix counts for, of 65 536 for each 16 bits of `high`.
    fileprivate static func counter(_ digit: Int, _ prefix: RangePrefix) -> Int {
        digit << 16 | Int(truncatingIfNeeded: prefix.high >> UInt64(16 * digit)) & 0xffff
    }
}
