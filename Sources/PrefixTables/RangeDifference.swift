// SPDX-License-Identifier: Apache-2.0

/// One step from a set of prefixes to another, as `RangeTrie.set` takes it.
package struct RangeChange: Hashable, Sendable {
    /// With value 0: removed.
    package var prefix: RangePrefix
    /// The longest prefix of the new set around a removed one.
    package var cover: RangePrefix?

    /// What leads from `old` to `new`, both sorted and without repetitions; nil if that is more than `limit` steps.
    ///
    /// To be carried out in their order: what is around a prefix comes before it.
    package static func between(_ old: [RangePrefix], _ new: [RangePrefix], limit: Int) -> [RangeChange]? {
        var changes: [RangeChange] = []
        // Prefixes of the new set around the place in hand, innermost last.
        var around: [RangePrefix] = []
        var (before, after) = (0, 0)
        while before < old.count || after < new.count {
            guard changes.count <= limit else { return nil }
            let isNew =
                before == old.count || (after < new.count && !RangePrefix.precedes(old[before], new[after]))
            let prefix = isNew ? new[after] : old[before]
            while let last = around.last, !last.covers(prefix) { around.removeLast() }
            if isNew {
                let isKept = before < old.count && old[before].isSamePlace(as: prefix)
                if !isKept || old[before].value != prefix.value { changes.append(RangeChange(prefix: prefix)) }
                if isKept { before += 1 }
                around.append(prefix)
                after += 1
            } else {
                var removed = prefix
                removed.value = 0
                changes.append(RangeChange(prefix: removed, cover: around.last))
                before += 1
            }
        }
        return changes.count <= limit ? changes : nil
    }
}
