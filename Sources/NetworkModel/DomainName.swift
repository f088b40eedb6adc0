// SPDX-License-Identifier: Apache-2.0

/// A DNS name in lower case, without the root's dot.
///
/// Labels are bytes: a name from the wire may hold any.
package struct DomainName: Hashable, Sendable {
    /// Wire format without the root: length, label, length, label …; at most 254 bytes, empty for the root.
    package let wire: [UInt8]

    /// The root.
    package static let root = DomainName(checked: [])

    private init(checked wire: [UInt8]) { self.wire = wire }

    /// From wire format without the root, in any case; nil if it is no name.
    package init?(wire: some Sequence<UInt8>) {
        var bytes = Array(wire)
        var index = 0
        while index < bytes.count {
            let length = Int(bytes[index])
            guard (1...63).contains(length), index + length < bytes.count else { return nil }
            for position in index + 1...index + length where (65...90).contains(bytes[position]) {
                bytes[position] |= 0x20
            }
            index += length + 1
        }
        guard bytes.count <= 254 else { return nil }
        self.wire = bytes
    }

    /// From `www.example.org` or `www.example.org.`, letters in any case; nil if a label is empty or too long, if a
    /// character is none of letters, digits, `-` and `_`, or if it is longer than a name may be.
    package init?(_ text: some StringProtocol) {
        let body = text.hasSuffix(".") ? text.dropLast() : text[...]
        var wire: [UInt8] = []
        for label in body.split(separator: ".", omittingEmptySubsequences: false) {
            let bytes = Array(label.utf8)
            guard (1...63).contains(bytes.count), bytes.allSatisfy(DomainName.isPlain) else { return nil }
            wire.append(UInt8(bytes.count))
            wire += bytes
        }
        self.init(wire: wire)
    }

    /// True for what host names are made of.
    static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x5f: true
        default: false
        }
    }

    /// Its labels, the most specific first.
    package var labels: [ArraySlice<UInt8>] {
        var labels: [ArraySlice<UInt8>] = []
        var index = 0
        while index < wire.count {
            let end = index + 1 + Int(wire[index])
            labels.append(wire[index + 1..<end])
            index = end
        }
        return labels
    }

    /// How many labels stand before this suffix; nil if the name does not end so.
    package func labelCount(before suffix: DomainName) -> Int? {
        let (own, other) = (labels, suffix.labels)
        guard own.count >= other.count, own.suffix(other.count).elementsEqual(other) else { return nil }
        return own.count - other.count
    }
}

extension DomainName: CustomStringConvertible {
    /// `www.example.org`, the root as `.`; what is no printable ASCII, and dots inside of labels, as `\DDD`.
    package var description: String {
        guard !wire.isEmpty else { return "." }
        return labels.map { label in
            label.map { byte in
                if (0x21...0x7e).contains(byte), byte != 0x2e, byte != 0x5c {
                    return String(Unicode.Scalar(byte))
                }
                let digits = String(byte)
                return "\\" + String(repeating: "0", count: 3 - digits.count) + digits
            }.joined()
        }.joined(separator: ".")
    }
}

extension DomainName: Comparable {
    /// By labels from the right, as zones are nested.
    package static func < (a: DomainName, b: DomainName) -> Bool {
        for (x, y) in zip(a.labels.reversed(), b.labels.reversed()) where !x.elementsEqual(y) {
            return x.lexicographicallyPrecedes(y)
        }
        return a.labels.count < b.labels.count
    }
}
