// SPDX-License-Identifier: Apache-2.0

import CDatapathABI
package import NetworkModel

extension RangeTrie {
    /// The class of an address of this trie's family, 0 if no prefix covers it: what the kernel's `find_prefix` answers.
    package func find(_ address: IPAddress) -> UInt8 {
        let key = RangePrefix(CIDR(host: address), value: 0)
        var link = memory.load(UInt32.self, 0, 4 * key.rootSlot)
        var value = UInt8(truncatingIfNeeded: link)
        while link >> 8 != 0 {
            let block = link >> 8
            let head = head(block)
            guard head.isNode else {
                guard key.sharedBits(leafPrefix(block)) >= head.length else { return value }
                guard head.tag == Int(RANGE_SKIP) else { return UInt8(truncatingIfNeeded: head.link) }
                link = head.link
                continue
            }
            let slot = key.slot(head.level), index = runIndex(block, head, slot: slot)
            let run = head.isSparse ? item(block, head, index).run(at: slot) : run(block, head, index)
            if run.value != 0 { value = run.value }
            link = run.reference << 8
        }
        return value
    }
}
