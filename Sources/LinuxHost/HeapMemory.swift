// SPDX-License-Identifier: Apache-2.0

import CLinuxShim

/// The process's heap.
package enum HeapMemory {
    /// Gives back to the kernel what was used once and is free now; takes some milliseconds for each hundred megabytes.
    ///
    /// For the moment after something big was read: what is left of it lies between what stays.
    package static func giveBack() { bulkhead_trim_heap() }
}
