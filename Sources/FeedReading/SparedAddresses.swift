// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// Single addresses that a list is not to mean, whatever it says: lists of unused networks name everybody's gateway.
extension [CIDR] {
    /// Of these addresses those that the list names, itself or around them; it is sorted and without repetitions.
    package func names(of addresses: some Sequence<IPAddress>) -> [IPAddress] {
        addresses.filter { !around($0).isEmpty }.sorted()
    }

    /// The same list without these addresses: what lies around one is split.
    package func sparing(_ addresses: [IPAddress]) -> [CIDR] {
        let hit = Set(addresses.flatMap(around))
        guard !hit.isEmpty else { return self }
        return filter { !hit.contains($0) } + hit.sorted().flatMap { $0.sparing(addresses) }
    }

    private func around(_ address: IPAddress) -> [CIDR] {
        (0...(address.isIPv4 ? 32 : 128)).map { CIDR(address, length: $0) }.filter(isListed)
    }

    private func isListed(_ prefix: CIDR) -> Bool {
        var range = indices
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            if self[middle] == prefix { return true }
            range = self[middle] < prefix ? middle + 1..<range.upperBound : range.lowerBound..<middle
        }
        return false
    }
}

extension CIDR {
    fileprivate func sparing(_ addresses: [IPAddress]) -> [CIDR] {
        let inside = addresses.filter(contains)
        guard !inside.isEmpty else { return [self] }
        guard length < (isIPv4 ? 32 : 128) else { return [] }
        return halves.flatMap { $0.sparing(inside) }
    }

    /// The prefixes one bit longer.
    private var halves: [CIDR] {
        let bit = isIPv4 ? length + 96 : length
        let upper = IPAddress(
            high: bit < 64 ? address.high | 1 << UInt64(63 - bit) : address.high,
            low: bit < 64 ? address.low : address.low | 1 << UInt64(127 - bit))
        return [CIDR(address, length: length + 1), CIDR(upper, length: length + 1)]
    }
}
