// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import Testing

@Suite struct RevertibleTableTests {
    @Test func `what is gone takes its room along, and comes back when it is reverted`() {
        var table = RevertibleTable<Int, Int>(
            restoring: Dictionary(uniqueKeysWithValues: (0..<50_000).map { ($0, $0) }))
        let before = table.values
        table.revise(.begin)
        for key in 10..<50_000 { table[key] = nil }
        #expect(table.values.count == 10 && table.values.capacity < 10_000)
        table[3] = 30
        table.revise(.revert)
        #expect(table.values == before)
    }
}
