// SPDX-License-Identifier: Apache-2.0

package import CDatapathABI
import IdentityModel
import NetworkModel
package import PolicyCompiler

extension policy_key {
    /// Packs a key as the kernel builds it.
    package init(_ key: PolicyKey) {
        self.init(
            peer: key.peer.rawValue, subject: key.subject, port: key.port.bigEndian, protocol: key.proto,
            direction: key.direction.rawValue, prefix_length: key.prefixLength, pad: 0)
    }

    /// The bucket before masking: the three 32-bit words of the key, little-endian, mixed.
    ///
    /// `bpf/lib/policy_table.h` computes the same; the data-path tests look up what this side wrote.
    package var tableHash: UInt32 {
        let portWord = UInt32(subject) | UInt32(port) << 16
        let kindWord = UInt32(`protocol`) | UInt32(direction) << 8 | UInt32(prefix_length) << 16
        var hash = peer &* 0x9E37_79B1
        hash ^= hash >> 15
        hash = (hash &+ portWord) &* 0x85EB_CA77
        hash ^= hash >> 13
        hash = (hash &+ kindWord) &* 0xC2B2_AE3D
        hash ^= hash >> 16
        return hash
    }

    func equals(_ other: policy_key) -> Bool {
        peer == other.peer && subject == other.subject && port == other.port && `protocol` == other.protocol
            && direction == other.direction && prefix_length == other.prefix_length
    }
}

extension PolicyKey {
    /// Unpacks a key; nil if the direction is none.
    package init?(_ key: policy_key) {
        guard let direction = Direction(rawValue: key.direction) else { return nil }
        self.init(
            peer: NumericIdentity(rawValue: key.peer), subject: key.subject, port: UInt16(bigEndian: key.port),
            proto: key.protocol, direction: direction, prefixLength: key.prefix_length)
    }
}

extension policy_entry {
    mutating func setVerdicts(_ value: PolicyValue) {
        enforced = policy_verdict(precedence: value.enforced.precedence, rule: value.enforced.rule)
        all = policy_verdict(precedence: value.all.precedence, rule: value.all.rule)
    }

    var value: PolicyValue {
        PolicyValue(
            enforced: PolicyVerdict(precedence: enforced.precedence, rule: enforced.rule),
            all: PolicyVerdict(precedence: all.precedence, rule: all.rule))
    }
}
