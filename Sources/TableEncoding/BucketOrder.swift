// SPDX-License-Identifier: Apache-2.0

/// The places of a list in the order of the buckets of its keys.
///
/// A hash leaves no order in keys: taken as they come, some thousand of them reach for another line of memory each time.
/// In this order the table is passed through once, and new entries lie side by side in the order in which they will be
/// looked for when they go.
struct BucketOrder {
    /// One element of the list.
    struct Place {
        fileprivate let word: UInt64

        var bucket: UInt32 { UInt32(truncatingIfNeeded: word >> 32) }
        /// In the list.
        var index: Int { Int(word & 0xFFFF_FFFF) }
    }

    private(set) var places: [Place]

    /// So few are put in order by comparing.
    private static var comparedMax: Int { 256 }
    private static var digitBits: Int { 11 }

    /// `mask`: the highest bucket; `bucket`: that of an element.
    init(count: Int, mask: UInt32, bucket: (Int) -> UInt32) {
        places = (0..<count).map { Place(word: UInt64(bucket($0)) << 32 | UInt64($0)) }
        guard count > BucketOrder.comparedMax else {
            places.sort { $0.word < $1.word }
            return
        }
        // By one digit of the bucket after the other, the lowest first; equal ones stay as they are.
        var others = places
        for shift in stride(from: 0, to: 32 - mask.leadingZeroBitCount, by: BucketOrder.digitBits) {
            BucketOrder.sort(places, into: &others, shift: UInt64(32 + shift))
            swap(&places, &others)
        }
    }

    private static func sort(_ places: [Place], into sorted: inout [Place], shift: UInt64) {
        let digits = 1 << digitBits
        func digit(_ place: Place) -> Int { Int(place.word >> shift) & (digits - 1) }
        var starts = [Int](repeating: 0, count: digits + 1)
        for place in places { starts[digit(place) + 1] += 1 }
        for digit in 1...digits { starts[digit] += starts[digit - 1] }
        for place in places {
            let digit = digit(place)
            sorted[starts[digit]] = place
            starts[digit] += 1
        }
    }
}
