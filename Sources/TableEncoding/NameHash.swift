// SPDX-License-Identifier: Apache-2.0
package import CDatapathABI
package import NetworkModel

/// The secrets of the tables of names, and the hash by which the programs find a name's selectors: a label is a sum of
/// products of its words with secret numbers, a name a polynomial of its labels over the field of 2^31 - 1, at secret
/// points; all of it twice.
///
/// `dns_hash_label` of bpf/lib/dns_message.h is the other half.
package struct NameHash: Hashable, Sendable {
    private static let field: UInt64 = 0x7fff_ffff
    /// Two numbers from 256 to 2^31 - 2.
    private let points: [UInt64]
    private let labelKeys: [UInt32]
    private let placeKeys: [UInt32]

    /// New secrets.
    package init(using generator: inout some RandomNumberGenerator) {
        points = (0..<2).map { _ in UInt64.random(in: 256..<NameHash.field, using: &generator) }
        labelKeys = (0..<18).map { _ in UInt32.random(in: 1 ... .max, using: &generator) }
        placeKeys = (0..<8).map { _ in UInt32.random(in: 1 ... .max, using: &generator) }
    }

    /// Those that the programs have been told; nil if none yet.
    package init?(_ config: fqdn_config) {
        guard config.hash_keys.0 != 0 else { return nil }
        points = [config.hash_keys.0, config.hash_keys.1]
        labelKeys = unsafe withUnsafeBytes(of: config.label_keys) { unsafe Array($0.bindMemory(to: UInt32.self)) }
        placeKeys = unsafe withUnsafeBytes(of: config.place_keys) { unsafe Array($0.bindMemory(to: UInt32.self)) }
    }

    /// Puts them where the programs look for them.
    package func store(in config: inout fqdn_config) {
        config.hash_keys = (points[0], points[1])
        unsafe withUnsafeMutableBytes(of: &config.label_keys) { bytes in
            unsafe labelKeys.withUnsafeBytes { unsafe bytes.copyMemory(from: $0) }
        }
        unsafe withUnsafeMutableBytes(of: &config.place_keys) { bytes in
            unsafe placeKeys.withUnsafeBytes { unsafe bytes.copyMemory(from: $0) }
        }
    }

    /// Of a name or suffix; 0 of the root.
    package func hash(_ name: DomainName) -> UInt64 {
        let halves = (0..<2).map { half in
            name.labels.reversed().reduce(UInt64(0)) { hash, label in
                let sum = NameHash.fold(NameHash.fold(product(label, keysFrom: 2 * half)))
                return NameHash.fold(NameHash.fold(hash * points[half] + sum + 1))
            }
        }
        return halves[0] << 32 | halves[1]
    }

    private static func fold(_ value: UInt64) -> UInt64 { (value & field) + (value >> 31) }

    /// A label's words, its length in front, times secret numbers.
    private func product(_ label: ArraySlice<UInt8>, keysFrom first: Int) -> UInt64 {
        let bytes = [UInt8(label.count)] + label
        return stride(from: 0, to: bytes.count, by: 8).reduce(0) { sum, start in
            let word = bytes[start..<min(start + 8, bytes.count)].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            let low = UInt32(truncatingIfNeeded: word) &+ labelKeys[first + start / 4]
            let high = UInt32(truncatingIfNeeded: word >> 32) &+ labelKeys[first + start / 4 + 1]
            return sum &+ UInt64(low) &* UInt64(high)
        }
    }
}

extension fqdn_config {
    /// Says which lengths the suffixes of selectors have: the programs look for no others.
    package mutating func setLengths(of suffixes: some Sequence<DomainName>) {
        var words: [UInt64] = [0, 0, 0, 0]
        for suffix in suffixes { words[suffix.wire.count / 64] |= 1 << UInt64(suffix.wire.count % 64) }
        suffix_lengths = (words[0], words[1], words[2], words[3])
    }
}

extension fqdn_selector_key {
    /// Where the selectors of a suffix stand.
    package init(_ suffix: DomainName, _ hash: NameHash) {
        self.init(hash: hash.hash(suffix), length: UInt32(suffix.wire.count), pad: 0)
    }
}

extension fqdn_glob_key {
    /// Where one of the automata of a suffix stands.
    package init(_ suffix: DomainName, _ number: Int, _ hash: NameHash) {
        self.init(hash: hash.hash(suffix), length: UInt32(suffix.wire.count), number: UInt32(number))
    }
}

extension fqdn_selector {
    /// Selectors of one suffix with their numbers; `globs`: how many automata there are to look for.
    package init(_ suffix: DomainName, numbers: [NameSelector.Extent: UInt32], globs: Int = 0) {
        self.init()
        exact = numbers[.exact] ?? 0
        one = numbers[.one] ?? 0
        deep = numbers[.deep] ?? 0
        self.globs = UInt32(globs)
        unsafe withUnsafeMutableBytes(of: &name) { unsafe $0.copyBytes(from: suffix.wire) }
    }
}
