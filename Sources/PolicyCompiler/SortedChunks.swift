// SPDX-License-Identifier: Apache-2.0

/// A sorted list in pieces: an element comes or goes at the cost of a piece, not of the whole list.
struct SortedChunks<Element> {
    /// None is empty; all of one sort before all of the next.
    private var chunks: [[Element]] = []
    private let precedes: (Element, Element) -> Bool

    private static var chunkMax: Int { 256 }

    init(by precedes: @escaping (Element, Element) -> Bool) { self.precedes = precedes }

    mutating func insert(_ element: Element) {
        guard !chunks.isEmpty else {
            chunks = [[element]]
            return
        }
        let (found, index) = place(of: element)
        // Behind everything: at the end of the last piece.
        let chunk = min(found, chunks.count - 1)
        chunks[chunk].insert(element, at: found == chunks.count ? chunks[chunk].count : index)
        guard chunks[chunk].count > SortedChunks.chunkMax else { return }
        let half = chunks[chunk].count / 2
        chunks.insert(Array(chunks[chunk][half...]), at: chunk + 1)
        chunks[chunk].removeSubrange(half...)
    }

    /// Removes the element that sorts like this one; false if there is none.
    mutating func remove(_ element: Element) -> Bool {
        let (chunk, index) = place(of: element)
        guard chunk < chunks.count, !precedes(element, chunks[chunk][index]) else { return false }
        chunks[chunk].remove(at: index)
        if chunks[chunk].isEmpty { chunks.remove(at: chunk) }
        return true
    }

    /// The elements from the first that does not sort before this one, while a condition holds.
    func elements(from element: Element, while holds: (Element) -> Bool) -> [Element] {
        var result: [Element] = []
        var (chunk, index) = place(of: element)
        while chunk < chunks.count {
            while index < chunks[chunk].count {
                guard holds(chunks[chunk][index]) else { return result }
                result.append(chunks[chunk][index])
                index += 1
            }
            (chunk, index) = (chunk + 1, 0)
        }
        return result
    }

    /// Where the first element stands that does not sort before this one; behind the last piece if there is none.
    private func place(of element: Element) -> (chunk: Int, index: Int) {
        let chunk = SortedChunks.first(0..<chunks.count) { number in
            chunks[number].last.map { !precedes($0, element) } ?? true
        }
        guard chunk < chunks.count else { return (chunk, 0) }
        return (chunk, SortedChunks.first(0..<chunks[chunk].count) { !precedes(chunks[chunk][$0], element) })
    }

    /// The first number of a range from which on a condition holds; the end of the range if it never does.
    private static func first(_ range: Range<Int>, where holds: (Int) -> Bool) -> Int {
        var (low, high) = (range.lowerBound, range.upperBound)
        while low < high {
            let middle = (low + high) / 2
            if holds(middle) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
