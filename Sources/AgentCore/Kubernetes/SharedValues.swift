// SPDX-License-Identifier: Apache-2.0

/// Hands out one of all values that are equal, so that what very many objects have in common is in memory once.
///
/// It forgets what nobody asked for in a while: then there may be a second one.
struct SharedValues<Value: Hashable & Sendable>: Sendable {
    private let roomOfGeneration: Int
    private var recent: Set<Value> = []
    /// What was asked for before `recent` began.
    private var former: Set<Value> = []

    init(room: Int = 1024) { roomOfGeneration = room }

    /// The one that stands for all equal ones.
    mutating func shared(_ value: Value) -> Value {
        if let index = recent.firstIndex(of: value) { return recent[index] }
        if recent.count >= roomOfGeneration { (former, recent) = (recent, []) }
        let known = former.firstIndex(of: value).map { former[$0] } ?? value
        recent.insert(known)
        return known
    }
}
