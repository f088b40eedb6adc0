// SPDX-License-Identifier: Apache-2.0
import NetworkModel

/// The cookies of `bpf/abi/syn_defence.h`, written anew from that text: SipHash-1-3 by its paper.
struct SynCookie {
    var key: [UInt64]
    var remote: IPAddress
    var remotePort: UInt16
    /// The client's.
    var sequence: UInt32

    private struct SipHash {
        var v: [UInt64]

        init(_ key: [UInt64]) {
            v = [
                key[0] ^ 0x736f_6d65_7073_6575, key[1] ^ 0x646f_7261_6e64_6f6d, key[0] ^ 0x6c79_6765_6e65_7261,
                key[1] ^ 0x7465_6462_7974_6573,
            ]
        }

        private static func rotate(_ x: UInt64, _ n: UInt64) -> UInt64 { x << n | x >> (64 - n) }

        private mutating func round() {
            v[0] &+= v[1]
            v[1] = SipHash.rotate(v[1], 13) ^ v[0]
            v[0] = SipHash.rotate(v[0], 32)
            v[2] &+= v[3]
            v[3] = SipHash.rotate(v[3], 16) ^ v[2]
            v[0] &+= v[3]
            v[3] = SipHash.rotate(v[3], 21) ^ v[0]
            v[2] &+= v[1]
            v[1] = SipHash.rotate(v[1], 17) ^ v[2]
            v[2] = SipHash.rotate(v[2], 32)
        }

        mutating func add(_ word: UInt64) {
            v[3] ^= word
            round()
            v[0] ^= word
        }

        func finished(_ purpose: UInt64) -> UInt64 {
            var copy = self
            copy.v[2] ^= purpose
            for _ in 0..<3 { copy.round() }
            return copy.v.reduce(0, ^)
        }
    }

    private var source: SipHash {
        var hash = SipHash(key)
        // Ports and addresses are hashed as they are in memory on a little-endian machine.
        if remote.isIPv4 {
            hash.add(UInt64(UInt32(truncatingIfNeeded: remote.low).byteSwapped) << 32 | 0xffff_0000)
        } else {
            hash.add(remote.high.byteSwapped)
            hash.add(remote.low.byteSwapped)
        }
        return hash
    }

    /// `options`: window scale 4 bits, SACK, ECN, index of the MSS 3 bits.
    func value(step: UInt64, options: UInt32) -> UInt32 {
        var hash = source
        let low = UInt32(remotePort.byteSwapped) << 16 | UInt32(step & 127) << 9 | options
        hash.add(UInt64(sequence) << 32 | UInt64(low))
        return UInt32(truncatingIfNeeded: hash.finished(0xff)) << 10 | UInt32(step & 1) << 9 | options
    }

    /// The clock of the source's timestamps, in milliseconds, at a time of CLOCK_MONOTONIC.
    func timestamp(atNanoseconds now: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: source.finished(0xee)) &+ UInt32(truncatingIfNeeded: now / 1_000_000)
    }
}
