// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// What a feed does with the sources it names; allow beats deny, whatever the lengths.
package enum FeedAction: String, Hashable, Sendable, CaseIterable {
    case deny
    case allow
}

/// Something in a feed that could not be read, and was left out.
package struct FeedFault: Error, Hashable, Sendable, CustomStringConvertible {
    package var file: String
    /// From 1.
    package var line: Int
    /// From 1, in bytes.
    package var column: Int
    package var message: String

    package init(file: String, line: Int, column: Int, _ message: String) {
        self.file = file
        self.line = line
        self.column = column
        self.message = message
    }

    package var description: String { "\(file):\(line):\(column): \(message)" }
}

/// What a text of prefixes says.
package struct FeedContent: Hashable, Sendable {
    /// In the order of the text, repetitions included; host bits are cleared.
    package var prefixes: [CIDR] = []
    /// The first faults; `faultCount` counts all.
    package var faults: [FeedFault] = []
    package var faultCount = 0

    /// Faults that are kept with their place.
    package static let keptFaults = 100

    package init() {}

    mutating func note(_ fault: FeedFault) {
        faultCount += 1
        if faults.count < FeedContent.keptFaults { faults.append(fault) }
    }

    /// Takes over what another file of the same feed says.
    package mutating func append(_ other: FeedContent) {
        prefixes += other.prefixes
        faultCount += other.faultCount
        faults += other.faults.prefix(max(0, FeedContent.keptFaults - faults.count))
    }
}
