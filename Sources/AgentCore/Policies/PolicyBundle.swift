// SPDX-License-Identifier: Apache-2.0

import PolicyModel
import PolicyReading

/// Policies that came with one request, cut into one text for each policy so that each can be kept, shown, replaced
/// and deleted by itself.
struct PolicyBundle: Sendable {
    /// One policy with the text it was read from.
    struct Item: Sendable {
        var policy: Policy
        var text: String
        /// The line of the request that `text` begins on, from 1.
        var firstLine: Int
    }

    var items: [Item]
    var diagnostics: [Diagnostic]

    var hasErrors: Bool { diagnostics.hasErrors }

    init(items: [Item], diagnostics: [Diagnostic]) {
        self.items = items
        self.diagnostics = diagnostics
    }

    /// Reads a text of one or several documents.
    init(_ bytes: [UInt8], file: String, reader: PolicyReader) {
        let result = reader.read(bytes: bytes, file: file)
        diagnostics = result.diagnostics
        let documents = PolicyBundle.documents(bytes)
        items = result.policies.map { policy in
            let document = documents.last { $0.firstLine <= policy.source.line }
            return Item(
                policy: policy, text: document?.text ?? String(decoding: bytes, as: UTF8.self),
                firstLine: document?.firstLine ?? 1)
        }
    }

    private struct Document {
        var firstLine: Int
        var lines: [Substring]

        var text: String { lines.joined(separator: "\n") + "\n" }
    }

    /// Splits at `---` lines; they are document marks wherever they stand at the beginning of a line.
    private static func documents(_ bytes: [UInt8]) -> [Document] {
        var documents = [Document(firstLine: 1, lines: [])]
        let text = String(decoding: bytes, as: UTF8.self)
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        // What follows the last line break is no line.
        if lines.last?.isEmpty == true { lines.removeLast() }
        for (index, line) in lines.enumerated() {
            if line.hasPrefix("---") && (line.count == 3 || line.dropFirst(3).first?.isWhitespace == true) {
                documents.append(Document(firstLine: index + 1, lines: [line]))
            } else {
                documents[documents.count - 1].lines.append(line)
            }
        }
        return documents
    }
}
