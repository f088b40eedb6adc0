// SPDX-License-Identifier: Apache-2.0

import NetworkModel

/// A set of kinds of traffic: ports of TCP, UDP and SCTP, types of ICMP, and every other protocol as one.
struct PortSpace: Hashable, Sendable {
    /// Disjoint ranges in order, by protocol; a protocol without ranges is not there.
    private(set) var ranges: [IPProtocol: [ClosedRange<Int>]] = [:]
    var hasOthers = false

    static let transports: [IPProtocol] = [.tcp, .udp, .sctp]

    /// All values of a protocol: ports, or ICMP types.
    static func values(of proto: IPProtocol) -> ClosedRange<Int> {
        proto == .icmp || proto == .icmpv6 ? 0...255 : 0...65535
    }

    init() {}

    init(_ proto: IPProtocol, _ list: [ClosedRange<Int>]) {
        ranges[proto] = PortSpace.merged(list)
        if list.isEmpty { ranges[proto] = nil }
    }

    /// Everything a family has.
    static func all(family: Int) -> PortSpace {
        var space = PortSpace()
        for proto in transports + [family == 4 ? .icmp : .icmpv6] { space.ranges[proto] = [values(of: proto)] }
        space.hasOthers = true
        return space
    }

    /// Everything of both families.
    static let all = all(family: 4).union(all(family: 6))

    /// All of one protocol; one that is not known by itself is none of the others alone.
    static func whole(_ proto: IPProtocol) -> PortSpace { PortSpace(proto, [values(of: proto)]) }

    var isEmpty: Bool { ranges.isEmpty && !hasOthers }

    func union(_ other: PortSpace) -> PortSpace {
        var result = self
        for (proto, list) in other.ranges { result.ranges[proto] = PortSpace.merged((ranges[proto] ?? []) + list) }
        result.hasOthers = hasOthers || other.hasOthers
        return result
    }

    func intersection(_ other: PortSpace) -> PortSpace {
        var result = PortSpace()
        for (proto, list) in ranges {
            let common = list.flatMap { mine in
                (other.ranges[proto] ?? []).filter(mine.overlaps).map { mine.clamped(to: $0) }
            }
            if !common.isEmpty { result.ranges[proto] = PortSpace.merged(common) }
        }
        result.hasOthers = hasOthers && other.hasOthers
        return result
    }

    func subtracting(_ other: PortSpace) -> PortSpace {
        var result = PortSpace()
        for (proto, list) in ranges {
            var rest = list
            for gap in other.ranges[proto] ?? [] {
                rest = rest.flatMap { range -> [ClosedRange<Int>] in
                    guard range.overlaps(gap) else { return [range] }
                    let below = range.lowerBound < gap.lowerBound ? [range.lowerBound...(gap.lowerBound - 1)] : []
                    let above = range.upperBound > gap.upperBound ? [(gap.upperBound + 1)...range.upperBound] : []
                    return below + above
                }
            }
            if !rest.isEmpty { result.ranges[proto] = rest }
        }
        result.hasOthers = hasOthers && !other.hasOthers
        return result
    }

    private static func merged(_ list: [ClosedRange<Int>]) -> [ClosedRange<Int>] {
        var result: [ClosedRange<Int>] = []
        for range in list.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = result.last, range.lowerBound <= last.upperBound + 1 {
                result[result.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                result.append(range)
            }
        }
        return result
    }
}
