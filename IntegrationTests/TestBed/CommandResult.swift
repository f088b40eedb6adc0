// SPDX-License-Identifier: Apache-2.0

/// How a command ended.
package struct CommandResult: Sendable {
    package let command: String
    /// As a shell gives it: 128 + signal if one ended it.
    package let status: Int32
    package let output: String
    package let errors: String

    /// Standard output without the white space at its ends.
    package var text: String {
        String(output.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }

    /// Throws unless the status is 0.
    @discardableResult
    package func checked() throws -> CommandResult {
        guard status == 0 else {
            throw TestBedError("\(command): status \(status)\n\(output)\(errors)")
        }
        return self
    }
}
