// SPDX-License-Identifier: Apache-2.0

/// Why a text is not an address, a prefix or a protocol: a cause in words, lower-case, for use inside a sentence.
package struct AddressSyntaxError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The cause alone: `prefix length 33 is greater than 32`.
    package let reason: String

    package init(_ reason: String) { self.reason = reason }

    package var description: String { reason }
}
