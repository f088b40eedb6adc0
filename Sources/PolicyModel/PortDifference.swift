// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// Ports of one protocol without others, where a name is among either: what it is depends on the destination.
package struct PortDifference: Hashable, Sendable {
    package var proto: IPProtocol
    package var ranges: [ClosedRange<UInt16>]
    package var names: [String]
    package var exceptRanges: [ClosedRange<UInt16>]
    package var exceptNames: [String]

    package init(
        _ proto: IPProtocol, ranges: [ClosedRange<UInt16>] = [], names: [String] = [],
        exceptRanges: [ClosedRange<UInt16>] = [], exceptNames: [String] = []
    ) {
        self.proto = proto
        self.ranges = ranges
        self.names = names
        self.exceptRanges = exceptRanges
        self.exceptNames = exceptNames
    }

    /// What is left, in order, where the names have these numbers.
    ///
    /// `numbers`: all numbers of a name that are meant (true) or left out (false).
    package func ranges(_ numbers: (String, Bool) -> Set<UInt16>) -> [ClosedRange<UInt16>] {
        func all(_ ranges: [ClosedRange<UInt16>], _ names: [String], _ isMeant: Bool) -> [ClosedRange<Int>] {
            ranges.map { Int($0.lowerBound)...Int($0.upperBound) }
                + names.flatMap { numbers($0, isMeant).sorted() }.map { Int($0)...Int($0) }
        }
        return PortRanges.subtracting(all(exceptRanges, exceptNames, false), from: all(ranges, names, true))
            .map { UInt16($0.lowerBound)...UInt16($0.upperBound) }
    }
}

extension PortSelection {
    /// True if ports are meant without others by name.
    package var hasDifferences: Bool {
        guard case .some(let matches) = self else { return false }
        return matches.contains { if case .without = $0 { true } else { false } }
    }
}

extension PortDifference: CustomStringConvertible {
    /// `tcp/80-90+http without tcp/metrics`.
    package var description: String {
        func list(_ ranges: [ClosedRange<UInt16>], _ names: [String]) -> String {
            let matches = ranges.map { PortMatch.range(proto, $0) } + names.map { PortMatch.named(proto, $0) }
            return matches.map(\.description).joined(separator: "+")
        }
        return "\(list(ranges, names)) without \(list(exceptRanges, exceptNames))"
    }
}
