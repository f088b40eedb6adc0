// SPDX-License-Identifier: Apache-2.0

import CDatapathABI

extension AgentState {
    /// The version that status, help and release files carry.
    static let version = "0.1.0"

    /// Version of the kernel tables.
    static let abiVersion = Int(BULKHEAD_ABI_VERSION)
}
