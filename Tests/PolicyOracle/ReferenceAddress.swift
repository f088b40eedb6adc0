// SPDX-License-Identifier: Apache-2.0

/// An address as its bits, read from text by the oracle itself.
struct ReferenceAddress: Hashable {
    /// 32 for IPv4, 128 for IPv6, the first one foremost.
    let bits: [Bool]

    var isIPv4: Bool { bits.count == 32 }

    init?(_ text: String) {
        guard text.contains(":") else {
            let parts = text.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
            guard parts.count == 4, parts.allSatisfy({ $0 != nil }) else { return nil }
            bits = parts.flatMap { Self.bits(of: Int($0 ?? 0), count: 8) }
            return
        }
        var groups = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        // An ellipsis at an end leaves two empty groups there, one in the middle.
        if groups.first == "" { groups.removeFirst() }
        if groups.last == "" { groups.removeLast() }
        if let gap = groups.firstIndex(of: "") {
            groups.replaceSubrange(gap...gap, with: Array(repeating: "0", count: max(0, 9 - groups.count)))
        }
        let numbers = groups.map { UInt16($0, radix: 16) }
        guard numbers.count == 8, numbers.allSatisfy({ $0 != nil }) else { return nil }
        bits = numbers.flatMap { Self.bits(of: Int($0 ?? 0), count: 16) }
    }

    /// Whether it lies in `address/length`, or is this very address.
    func isInside(_ prefix: String) -> Bool {
        let parts = prefix.split(separator: "/").map(String.init)
        guard let first = parts.first, let start = ReferenceAddress(first) else { return false }
        let length = parts.count == 2 ? Int(parts[1]) ?? 0 : start.bits.count
        return isIPv4 == start.isIPv4 && bits.prefix(length) == start.bits.prefix(length)
    }

    /// What names never open: this host's inside, the link, groups, metadata services.
    var isNeverOpenedByName: Bool {
        [
            "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "100.100.100.200", "168.63.129.16",
            "192.0.0.192",
            "0:0:0:0:0:0:0:0/64", "fe80:0:0:0:0:0:0:0/10", "ff00:0:0:0:0:0:0:0/8", "fd00:ec2:0:0:0:0:0:0/64",
            "fd20:ce:0:0:0:0:0:254",
        ].contains(where: isInside)
    }

    private static func bits(of number: Int, count: Int) -> [Bool] {
        (0..<count).map { number >> (count - 1 - $0) & 1 == 1 }
    }
}
