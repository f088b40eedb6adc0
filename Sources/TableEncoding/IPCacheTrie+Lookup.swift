// SPDX-License-Identifier: Apache-2.0

import CDatapathABI
package import IdentityModel
package import NetworkModel

/// The reference decoder: reads only the image, step by step as the kernel does.
extension IPCacheTrie {
    /// The identity of the longest prefix around an address; nil: none (the kernel's 0: world).
    package func find(_ address: IPAddress) -> NumericIdentity? {
        let key = TriePrefix(address)
        let root = units[key.rootReference(key.rootSlot)]
        var value = UInt32(truncatingIfNeeded: root)
        var block = UInt32(root >> 32)
        while block != 0 {
            let head = head(block)
            if head.tag == Int(IPCACHE_NODE) {
                let entry = units[entryIndex(block, run: runIndex(block, slot: key.byte(head.length)))]
                if UInt32(truncatingIfNeeded: entry) != 0 { value = UInt32(truncatingIfNeeded: entry) }
                block = UInt32(entry >> 32)
                continue
            }
            guard key.sharedBits(leafPrefix(block, isIPv4: key.isIPv4)) >= head.length else { break }
            if head.tag == Int(IPCACHE_TAIL) {
                value = head.payload
                break
            }
            block = head.payload
        }
        return value == 0 ? nil : NumericIdentity(rawValue: value)
    }

    /// Bytes of the arena in use or once used.
    package var usedBytes: Int { 8 * allocator.next }
}
