// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Estimates of how many different things a sketch has seen.
enum CardinalityEstimate {
    /// From a bit map of `size` bits of which `set` are set (linear probabilistic counting, Whang 1990).
    ///
    /// A map with no clear bit says no more than its greatest estimate.
    static func linear(set: Int, size: Int) -> UInt32 {
        guard set > 0 else { return 0 }
        let clear = max(size - set, 1)
        return UInt32(max(Double(set), Double(size) * log(Double(size) / Double(clear))).rounded())
    }

    /// From HyperLogLog registers (Flajolet 2007), by linear counting where few are filled.
    static func registers(_ registers: [UInt8]) -> UInt32 {
        let count = Double(registers.count)
        var sum = 0.0
        var empty = 0
        for register in registers {
            sum += 1 / Double(UInt64(1) << UInt64(min(register, 63)))
            if register == 0 { empty += 1 }
        }
        let alpha = registers.count >= 128 ? 0.7213 / (1 + 1.079 / count) : 0.709
        let estimate = alpha * count * count / sum
        // Registers that nobody filled by counting may say more than there are addresses.
        guard estimate <= 2.5 * count, empty > 0 else { return UInt32(min(estimate, Double(UInt32.max)).rounded()) }
        return UInt32((count * log(count / Double(empty))).rounded())
    }
}
