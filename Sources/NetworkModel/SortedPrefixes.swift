// SPDX-License-Identifier: Apache-2.0

/// Prefixes in order, none twice, with those inside another one side by side.
///
/// In pieces: one comes or goes at the cost of a piece, a lookup at that of two binary searches.
package struct SortedPrefixes: Sendable {
    /// None is empty; all of one sort before all of the next.
    private var pieces: [[CIDR]] = []

    private static let pieceMax = 256

    package init() {}

    package var isEmpty: Bool { pieces.isEmpty }

    /// False if it is there already.
    @discardableResult
    package mutating func insert(_ prefix: CIDR) -> Bool {
        guard !pieces.isEmpty else {
            pieces = [[prefix]]
            return true
        }
        let (found, index) = place(of: prefix)
        if found < pieces.count, pieces[found][index] == prefix { return false }
        // Behind everything: at the end of the last piece.
        let piece = min(found, pieces.count - 1)
        pieces[piece].insert(prefix, at: found == pieces.count ? pieces[piece].count : index)
        guard pieces[piece].count > SortedPrefixes.pieceMax else { return true }
        let half = pieces[piece].count / 2
        pieces.insert(Array(pieces[piece][half...]), at: piece + 1)
        pieces[piece] = Array(pieces[piece][..<half])
        return true
    }

    /// False if it is not there.
    @discardableResult
    package mutating func remove(_ prefix: CIDR) -> Bool {
        let (piece, index) = place(of: prefix)
        guard piece < pieces.count, pieces[piece][index] == prefix else { return false }
        pieces[piece].remove(at: index)
        if pieces[piece].isEmpty { pieces.remove(at: piece) }
        return true
    }

    /// Those inside a prefix, itself included, in order.
    package func inside(_ prefix: CIDR) -> [CIDR] {
        var result: [CIDR] = []
        var (piece, index) = place(of: prefix)
        while piece < pieces.count {
            while index < pieces[piece].count {
                guard prefix.contains(pieces[piece][index]) else { return result }
                result.append(pieces[piece][index])
                index += 1
            }
            (piece, index) = (piece + 1, 0)
        }
        return result
    }

    /// Where the first one stands that does not sort before this one; behind the last piece if there is none.
    private func place(of prefix: CIDR) -> (piece: Int, index: Int) {
        var (low, high) = (0, pieces.count)
        while low < high {
            let middle = (low + high) / 2
            let last = pieces[middle][pieces[middle].count - 1]
            if SortedPrefixes.precedes(last, prefix) { low = middle + 1 } else { high = middle }
        }
        guard low < pieces.count else { return (low, 0) }
        let piece = low
        (low, high) = (0, pieces[piece].count)
        while low < high {
            let middle = (low + high) / 2
            if SortedPrefixes.precedes(pieces[piece][middle], prefix) { low = middle + 1 } else { high = middle }
        }
        return (piece, low)
    }

    /// Families apart: IPv4-mapped addresses lie in the midst of IPv6's.
    private static func precedes(_ a: CIDR, _ b: CIDR) -> Bool { a.isIPv4 == b.isIPv4 ? a < b : a.isIPv4 }
}
