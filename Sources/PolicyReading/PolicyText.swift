// SPDX-License-Identifier: Apache-2.0

/// Where in a file a text begins that was cut out of it; both count from 1.
package struct TextOrigin: Hashable, Sendable {
    package var line: Int
    /// Of the first line; all others begin at column 1.
    package var column: Int

    package init(line: Int = 1, column: Int = 1) {
        self.line = line
        self.column = column
    }
}

/// The part of a text that is about one policy: read by itself it is that policy, at the same places.
package struct PolicyText: Hashable, Sendable {
    package var text: String
    /// Where in the file it begins.
    package var origin: TextOrigin

    package init(text: String, origin: TextOrigin) {
        self.text = text
        self.origin = origin
    }
}
