// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// Names of ports of one or several endpoints; a name may have several numbers if the endpoints disagree.
package struct NamedPorts: Hashable, Sendable {
    package var numbers: [NamedPort: Set<UInt16>]

    package init(_ numbers: [NamedPort: Set<UInt16>] = [:]) { self.numbers = numbers }

    /// The numbers of both.
    package func union(_ other: NamedPorts) -> NamedPorts {
        NamedPorts(numbers.merging(other.numbers) { $0.union($1) })
    }
}

/// A port's name within its protocol.
package struct NamedPort: Hashable, Sendable {
    package var proto: IPProtocol
    package var name: String

    package init(proto: IPProtocol, name: String) {
        self.proto = proto
        self.name = name
    }
}
