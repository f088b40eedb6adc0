// SPDX-License-Identifier: Apache-2.0
import CDatapathABI
import NetworkModel

extension IPAddress {
    /// Reads the 16 network-order bytes of a kernel record.
    init(_ address: ip_address) {
        // Same size, and any bit pattern is a valid pair of integers.
        let words = unsafe unsafeBitCast(address, to: (UInt64, UInt64).self)
        self.init(high: UInt64(bigEndian: words.0), low: UInt64(bigEndian: words.1))
    }
}

extension ip_address {
    /// The 16 network-order bytes of an address.
    init(_ address: IPAddress) {
        self = unsafe unsafeBitCast((address.high.bigEndian, address.low.bigEndian), to: ip_address.self)
    }
}
