// SPDX-License-Identifier: Apache-2.0

extension String {
    /// The text as it may be written to a terminal.
    ///
    /// Names, labels and images are chosen by others. What a terminal would obey instead of showing is spelled out as
    /// `\u{1b}`: control characters of both ranges, line and paragraph separators, and invisible formatting such as
    /// the overrides of writing direction. Tabs stay.
    var forTerminal: String {
        guard unicodeScalars.contains(where: \.isObeyedByTerminals) else { return self }
        var result = ""
        for scalar in unicodeScalars {
            if scalar.isObeyedByTerminals {
                result += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// The text as one cell or name: without tabs and line breaks, too.
    var forTerminalCell: String {
        forTerminal.split(separator: "\t", omittingEmptySubsequences: false).joined(separator: "\\t")
    }

    /// The lines of a text that is meant to have several, each as it may be written to a terminal.
    var linesForTerminal: [String] {
        split(separator: "\n", omittingEmptySubsequences: false).map { String($0).forTerminal }
    }
}

extension Unicode.Scalar {
    fileprivate var isObeyedByTerminals: Bool {
        // Most text by far is plain: asking for the category costs more.
        if value < 0x7f { return value < 0x20 && value != 0x09 }
        return switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}
