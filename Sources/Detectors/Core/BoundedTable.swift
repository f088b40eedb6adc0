// SPDX-License-Identifier: Apache-2.0

/// What a `BoundedTable` needs to know of a record to choose which one to forget.
protocol Remembered: Sendable {
    /// When the record last changed, nanoseconds.
    var touched: UInt64 { get }
    /// How much evidence it holds; the lightest goes first.
    var weight: Double { get }
}

/// A dictionary that never holds more than `capacity` records.
///
/// Where it is full, the lightest of eight neighbours under a moving hand makes way, the oldest among equals; one that was not
/// touched for `lifetime` counts as weightless. So a flood of new keys pushes out other new keys, not a record with evidence.
/// Keys are hashed with the process's random seed: they cannot be made to collide.
struct BoundedTable<Key: Hashable & Sendable, Value: Remembered>: Sendable {
    private var slots: [(key: Key, value: Value)] = []
    private var places: [Key: Int] = [:]
    private var hand = 0
    let capacity: Int
    let lifetime: UInt64
    /// Records that made way.
    private(set) var forgotten: UInt64 = 0

    init(capacity: Int, lifetime: UInt64) {
        self.capacity = capacity
        self.lifetime = lifetime
    }

    var count: Int { slots.count }
    var values: some Sequence<Value> { slots.lazy.map(\.value) }

    /// The records that changed last, latest first.
    func latest(_ count: Int) -> [(key: Key, value: Value)] {
        Array(slots.sorted { $0.value.touched > $1.value.touched }.prefix(count))
    }

    subscript(_ key: Key) -> Value? { places[key].map { slots[$0].value } }

    /// Changes the record of `key` in place, made by `initial` if there is none.
    mutating func update<Result>(
        _ key: Key, at time: UInt64, initial: () -> Value, _ change: (inout Value) -> Result
    ) -> Result {
        let place = places[key] ?? insert(key, initial(), at: time)
        return change(&slots[place].value)
    }

    mutating func remove(_ key: Key) {
        guard let place = places.removeValue(forKey: key) else { return }
        let last = slots.removeLast()
        guard place < slots.count else { return }
        slots[place] = last
        places[last.key] = place
    }

    private mutating func insert(_ key: Key, _ value: Value, at time: UInt64) -> Int {
        if slots.count < capacity {
            slots.append((key, value))
            places[key] = slots.count - 1
            return slots.count - 1
        }
        let place = lightest(at: time)
        places[slots[place].key] = nil
        slots[place] = (key, value)
        places[key] = place
        forgotten &+= 1
        return place
    }

    private mutating func lightest(at time: UInt64) -> Int {
        var best = hand
        var bestRank = (Double.infinity, UInt64.max)
        for step in 0..<min(8, capacity) {
            let place = (hand + step) % capacity
            let value = slots[place].value
            let isStale = value.touched.distance(before: time) > lifetime
            let rank = (isStale ? -1 : value.weight, value.touched)
            if rank < bestRank { (best, bestRank) = (place, rank) }
        }
        hand = (hand + 8) % capacity
        return best
    }
}

extension UInt64 {
    /// Nanoseconds from this time to `later`; 0 if the clock went back.
    func distance(before later: UInt64) -> UInt64 { later > self ? later - self : 0 }

    /// Nanoseconds as seconds.
    var seconds: Double { Double(self) / 1e9 }

    /// What came since `earlier` of a count that only grows; all of it where the count began anew.
    func growth(since earlier: UInt64) -> UInt64 { self >= earlier ? self - earlier : self }
}

extension UInt32 {
    func growth(since earlier: UInt32) -> UInt32 { self >= earlier ? self - earlier : 0 }
}

extension Double {
    /// Without its fraction, for sentences; the end of the range for what is beyond it.
    var whole: Int { isNaN ? 0 : Int(max(-9e18, min(9e18, self))) }
}
