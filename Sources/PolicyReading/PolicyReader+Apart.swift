// SPDX-License-Identifier: Apache-2.0

package import PolicyModel

extension PolicyReader {
    /// Reads every document of a file's bytes, and cuts them into one text for each policy: its document, or its item of
    /// a list.
    ///
    /// All texts together are about as long as the bytes. A list whose items cannot be told apart within the limit of a
    /// file, for its aliases stand for more than that, is an error.
    package func readApart(
        bytes: [UInt8], file: String, origin: TextOrigin = TextOrigin()
    ) -> (set: PolicyDocumentSet, texts: [PolicyReference: PolicyText]) {
        let context = ReadingContext(file: file, bytes: bytes, options: options, origin: origin)
        var set = read(bytes: bytes, context)
        var texts: [PolicyReference: PolicyText] = [:]
        let documents = DocumentTexts(bytes, origin: origin)
        var items = ListItemTexts(bytes, context)
        for (index, policy) in set.policies.enumerated() {
            guard let node = context.listItems[policy.reference] else {
                texts[policy.reference] = documents.text(at: policy.source.line)
                continue
            }
            if let text = items.cut(node), again(text, of: policy) == policy {
                texts[policy.reference] = text
            } else if let text = items.written(node), let again = again(text, of: policy) {
                texts[policy.reference] = text
                set.policies[index] = again
            } else {
                set.diagnostics.append(
                    Diagnostic(
                        severity: .error, code: .tooLarge, location: policy.source,
                        message: "the items of the list have more than \(options.limits.byteCountMax) bytes "
                            + "once aliases are expanded",
                        remedy: "write fewer aliases, or a document for each item"))
                return (set, texts)
            }
        }
        return (set, texts)
    }

    private func again(_ text: PolicyText, of policy: Policy) -> Policy? {
        read(bytes: Array(text.text.utf8), file: policy.source.file, origin: text.origin).policies
            .first { $0.reference == policy.reference }
    }
}

/// The documents of a text, from mark to mark.
private struct DocumentTexts {
    private let bytes: [UInt8]
    private let origin: TextOrigin
    /// Where each begins.
    private var begins: [(line: Int, index: Int)] = [(1, 0)]

    /// `---` is a document mark wherever it stands at the beginning of a line.
    init(_ bytes: [UInt8], origin: TextOrigin) {
        self.bytes = bytes
        self.origin = origin
        var (line, index) = (1, 0)
        while index < bytes.count {
            if DocumentTexts.isMark(at: index, in: bytes) { begins.append((line, index)) }
            var length = 0
            while index < bytes.count, length == 0 {
                length = SourceText.breakLength(at: index, in: bytes)
                index += max(1, length)
            }
            line += 1
        }
    }

    private static func isMark(at index: Int, in bytes: [UInt8]) -> Bool {
        guard bytes[index...].starts(with: [45, 45, 45]) else { return false }
        return index + 3 == bytes.count || [9, 10, 13, 32].contains(bytes[index + 3])
    }

    /// The document that a line of the file belongs to.
    func text(at line: Int) -> PolicyText {
        let line = line - origin.line + 1
        var (low, high) = (0, begins.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if begins[middle].line <= line { low = middle } else { high = middle }
        }
        let end = low + 1 < begins.count ? begins[low + 1].index : bytes.count
        var text = String(decoding: bytes[begins[low].index..<end], as: UTF8.self)
        if bytes[..<end].last != 10 { text += "\n" }
        return PolicyText(
            text: text,
            origin: low == 0 ? origin : TextOrigin(line: begins[low].line + origin.line - 1))
    }
}
