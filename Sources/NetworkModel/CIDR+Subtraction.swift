// SPDX-License-Identifier: Apache-2.0

extension CIDR {
    /// All of IPv4.
    package static let allIPv4 = CIDR(IPAddress(v4: 0), length: 0)
    /// All of IPv6.
    package static let allIPv6 = CIDR(IPAddress(high: 0, low: 0), length: 0)

    /// True if the two have an address in common: one of them contains the other.
    package func overlaps(_ other: CIDR) -> Bool { contains(other) || other.contains(self) }

    /// The lower and the upper half; nil for a single address.
    package var halves: (lower: CIDR, upper: CIDR)? {
        guard length < (isIPv4 ? 32 : 128) else { return nil }
        let bit = UInt64(127 - (isIPv4 ? length + 96 : length))
        let upper =
            bit >= 64
            ? IPAddress(high: address.high | 1 << (bit - 64), low: address.low)
            : IPAddress(high: address.high, low: address.low | 1 << bit)
        return (CIDR(address, length: length + 1), CIDR(upper, length: length + 1))
    }

    /// The fewest prefixes that cover this one without the exceptions, in address order.
    ///
    /// Costs (number of exceptions) x (bits between the prefix and the exception) at most.
    package func subtracting(_ exceptions: [CIDR]) -> [CIDR] {
        let relevant = exceptions.filter(overlaps)
        guard !relevant.isEmpty else { return [self] }
        guard !relevant.contains(where: { $0.contains(self) }), let halves else { return [] }
        return halves.lower.subtracting(relevant) + halves.upper.subtracting(relevant)
    }
}
