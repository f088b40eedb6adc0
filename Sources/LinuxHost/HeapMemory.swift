// SPDX-License-Identifier: Apache-2.0

import CLinuxShim

/// The process's heap.
package enum HeapMemory {
    /// Has large blocks go back to the kernel as soon as they are free, whatever lies behind them; before the first of them.
    ///
    /// A table that grows leaves one behind with each step, up to tens of megabytes in a large cluster.
    package static func prepare() { bulkhead_prepare_heap() }

    /// Gives back to the kernel what was used once and is free now; takes some milliseconds for each hundred megabytes.
    ///
    /// For the moment after something big was read: what is left of it lies between what stays.
    /// What only the start needed of the program, embedded objects among it, is not kept either.
    package static func giveBack() {
        bulkhead_trim_heap()
        bulkhead_forget_program_pages()
    }
}
