// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel

/// A policy key but for its slot, in one word: a slot has thousands of these, and a word is hashed at once.
///
/// From the highest bit: peer 32, port 16, protocol 8, unused 2, direction 1, prefix length 5.
typealias CellKey = UInt64

extension CellKey {
    init(peer: NumericIdentity, _ port: PortKey, _ direction: Direction) {
        let ports = UInt64(port.port) << 16 | UInt64(port.proto) << 8
        let kind = UInt64(direction.rawValue) << 5 | UInt64(port.prefixLength)
        self = UInt64(peer.rawValue) << 32 | ports | kind
    }

    var peer: NumericIdentity { NumericIdentity(rawValue: UInt32(truncatingIfNeeded: self >> 32)) }

    var direction: Direction { self & 1 << 5 == 0 ? .egress : .ingress }

    var prefixLength: UInt8 { UInt8(truncatingIfNeeded: self & 31) }

    /// The key in the tables.
    func key(in slot: UInt16) -> PolicyKey {
        PolicyKey(
            peer: peer, subject: slot, port: UInt16(truncatingIfNeeded: self >> 16),
            proto: UInt8(truncatingIfNeeded: self >> 8), direction: direction, prefixLength: prefixLength)
    }
}
