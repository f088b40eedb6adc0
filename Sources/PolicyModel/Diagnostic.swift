// SPDX-License-Identifier: Apache-2.0

/// One thing that is wrong or doubtful in a document: what, where, why, and what to do about it.
package struct Diagnostic: Hashable, Sendable {
    /// How much it matters, most first.
    package enum Severity: String, Hashable, Sendable, Comparable {
        /// The policy is refused.
        case error
        /// The policy is accepted but probably does not mean what its author meant.
        case warning
        /// The policy is accepted; its meaning surprises people often enough to be told.
        case note

        package static func < (a: Severity, b: Severity) -> Bool { a.rank < b.rank }

        private var rank: Int {
            switch self {
            case .error: 0
            case .warning: 1
            case .note: 2
            }
        }
    }

    package var severity: Severity
    package var code: DiagnosticCode
    package var location: SourceLocation
    /// The field in the document: `spec.ingress[0].fromCIDR[1]`; empty if there is none.
    package var path: String
    /// What is wrong and why, lower-case, one sentence.
    package var message: String
    /// What to do about it, lower-case.
    package var remedy: String?
    /// The line of the document, for the caret.
    package var excerpt: SourceExcerpt?
    /// Other places that belong to it.
    package var related: [RelatedPlace]

    package init(
        severity: Severity, code: DiagnosticCode, location: SourceLocation, path: String = "", message: String,
        remedy: String? = nil, excerpt: SourceExcerpt? = nil, related: [RelatedPlace] = []
    ) {
        self.severity = severity
        self.code = code
        self.location = location
        self.path = path
        self.message = message
        self.remedy = remedy
        self.excerpt = excerpt
        self.related = related
    }

    /// A second place, with what it has to do with the first.
    package struct RelatedPlace: Hashable, Sendable {
        package let message: String
        package let location: SourceLocation

        package init(message: String, location: SourceLocation) {
            self.message = message
            self.location = location
        }
    }
}

/// The offending line and how much of it, from the diagnostic's column, is meant.
package struct SourceExcerpt: Hashable, Sendable {
    package let line: String
    /// In characters, at least 1.
    package let length: Int

    package init(line: String, length: Int) {
        self.line = line
        self.length = max(1, length)
    }
}

extension Diagnostic: CustomStringConvertible {
    /// One line: `file:line:column: error[BH1301]: message (path)`.
    package var description: String {
        Diagnostic.printable(
            "\(location.text): \(severity.rawValue)[\(code)]: \(message)" + (path.isEmpty ? "" : " (\(path))"))
    }

    /// One line for those who do not have the text before them: `BH1301: message (path); remedy`.
    package var withoutPlace: String {
        Diagnostic.printable(
            "\(code): \(message)" + (path.isEmpty ? "" : " (\(path))") + (remedy.map { "; \($0)" } ?? ""))
    }

    /// Several lines, as a compiler prints them: message, place, the line with a caret, related places, remedy.
    package var rendered: String {
        let number = String(location.line)
        let margin = String(repeating: " ", count: number.count)
        var lines = ["\(severity.rawValue)[\(code)]: \(message)"]
        lines.append("\(margin)--> \(location.text)" + (path.isEmpty ? "" : " (\(path))"))
        if let excerpt {
            let (line, caret) = Diagnostic.caret(excerpt, column: location.column)
            lines += ["\(margin) |", "\(number) | \(line)", "\(margin) | \(caret)"]
        }
        for place in related { lines.append("\(margin) = \(place.message): \(place.location.text)") }
        if let remedy { lines.append("\(margin) = help: \(remedy)") }
        return lines.map(Diagnostic.printable).joined(separator: "\n")
    }

    /// A document's text must not steer the terminal: controls and direction marks become question marks.
    private static func printable(_ text: String) -> String {
        func isHostile(_ scalar: Unicode.Scalar) -> Bool {
            scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format
        }
        guard text.unicodeScalars.contains(where: isHostile) else { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.map { isHostile($0) ? "?" : $0 }))
    }

    /// A window of the line that fits a terminal, and the carets under it; control characters become spaces.
    private static func caret(_ excerpt: SourceExcerpt, column: Int) -> (line: String, caret: String) {
        let width = 100
        let characters = excerpt.line.unicodeScalars.map { $0.value < 32 || $0.value == 127 ? " " : Character($0) }
        let start = column > width - 20 ? min(column - 20, characters.count) : 0
        let shown = characters[start...].prefix(width)
        let offset = min(max(0, column - 1 - start), shown.count)
        let length = max(1, min(excerpt.length, shown.count - offset))
        return (String(shown), String(repeating: " ", count: offset) + String(repeating: "^", count: length))
    }
}

extension [Diagnostic] {
    /// True if one of them refuses something.
    package var hasErrors: Bool { contains { $0.severity == .error } }

    /// Every diagnostic as a compiler prints it, with a summary line; empty without diagnostics.
    package var rendered: String {
        guard !isEmpty else { return "" }
        let counts = [(Diagnostic.Severity.error, "error"), (.warning, "warning"), (.note, "note")]
            .compactMap { severity, name -> String? in
                let count = filter { $0.severity == severity }.count
                return count == 0 ? nil : "\(count) \(name)\(count == 1 ? "" : "s")"
            }
        return map(\.rendered).joined(separator: "\n\n") + "\n\n" + counts.joined(separator: ", ")
    }
}
