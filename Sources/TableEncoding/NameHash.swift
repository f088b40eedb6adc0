// SPDX-License-Identifier: Apache-2.0
import CDatapathABI
package import NetworkModel

/// The hash by which the programs find a name's selectors: two polynomials over the field of 2^31 - 1, at secret points.
///
/// `dns_mix` of bpf/lib/dns_message.h is the other half.
package struct NameHash: Hashable, Sendable {
    private static let field: UInt64 = 0x7fff_ffff
    /// Two numbers from 256 to 2^31 - 2.
    package let keys: [UInt64]

    /// From two arbitrary numbers.
    package init(_ first: UInt64, _ second: UInt64) {
        keys = [first, second].map { 256 + $0 % (NameHash.field - 256) }
    }

    /// From keys that `keys` gave.
    package init(keys: [UInt64]) { self.keys = keys }

    /// Of a name or suffix; 0 of the root.
    package func hash(_ name: DomainName) -> UInt64 {
        let halves = keys.map { key in
            name.wire.reversed().reduce(UInt64(0)) { hash, byte in
                var next = hash * key + UInt64(byte) + 1
                next = (next & NameHash.field) + (next >> 31)
                return (next & NameHash.field) + (next >> 31)
            }
        }
        return halves[0] << 32 | halves[1]
    }
}

extension fqdn_selector_key {
    /// Where the selectors of a suffix stand.
    package init(_ suffix: DomainName, _ hash: NameHash) {
        self.init(hash: hash.hash(suffix), length: UInt32(suffix.wire.count), pad: 0)
    }
}

extension fqdn_selector {
    /// Selectors of one suffix with their numbers.
    package init(_ suffix: DomainName, numbers: [NameSelector.Extent: UInt32]) {
        self.init()
        exact = numbers[.exact] ?? 0
        one = numbers[.one] ?? 0
        deep = numbers[.deep] ?? 0
        unsafe withUnsafeMutableBytes(of: &name) { unsafe $0.copyBytes(from: suffix.wire) }
    }
}
