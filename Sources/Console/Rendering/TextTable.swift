// SPDX-License-Identifier: Apache-2.0

/// Columns for people: left-aligned, two blanks between, as wide as needed, no trailing blanks.
///
/// On a terminal that is narrower the widest columns are, and their cells go on in the next line.
struct TextTable {
    private let header: [String]
    private var rows: [[String]] = []

    /// Columns of the terminal that is written to; nil: no terminal, and so no limit.
    @TaskLocal static var terminalWidth: Int?

    /// A column is not made narrower than this, nor than its header.
    private static let narrowest = 16
    /// What callers put in front of the lines of a table.
    private static let indent = 2

    init(_ header: [String]) { self.header = header }

    /// Cells are escaped here, so that they are as wide as they look.
    mutating func add(_ row: [String]) { rows.append(row.map(\.forTerminalCell)) }

    var isEmpty: Bool { rows.isEmpty }

    /// The lines with a header; an empty cell shows as `-`.
    ///
    /// No rows: `none` in place of the table.
    func lines(none: String) -> [String] {
        guard !rows.isEmpty else { return [none] }
        let cells = [header] + rows.map { $0.map { $0.isEmpty ? "-" : $0 } }
        var widths = header.indices.map { column in
            cells.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
        }
        if let width = TextTable.terminalWidth { fit(&widths, into: width - TextTable.indent) }
        return cells.flatMap { row in
            let wrapped = zip(row, widths).map { TextTable.wrap($0, $1) }
            return (0..<(wrapped.map(\.count).max() ?? 0)).map { number in
                TextTable.line(wrapped.map { number < $0.count ? $0[number] : "" }, widths)
            }
        }
    }

    /// Takes from the widest column until the table fits, or none can give.
    private func fit(_ widths: inout [Int], into width: Int) {
        while widths.reduce(0, +) + 2 * (widths.count - 1) > width {
            let givers = widths.indices.filter { widths[$0] > max(TextTable.narrowest, header[$0].count) }
            guard let widest = givers.max(by: { widths[$0] < widths[$1] }) else { return }
            widths[widest] -= 1
        }
    }

    private static func line(_ cells: [String], _ widths: [Int]) -> String {
        var line = ""
        for (column, cell) in cells.enumerated() where !cell.isEmpty {
            let start = widths[..<column].reduce(0) { $0 + $1 + 2 }
            line += String(repeating: " ", count: max(0, start - line.count)) + cell
        }
        return line
    }

    /// The parts of a cell, broken behind a comma or blank where there is one in the second half of the width.
    private static func wrap(_ cell: String, _ width: Int) -> [String] {
        var parts: [String] = []
        var rest = cell[...]
        while rest.count > width {
            let room = rest.prefix(width)
            let end = room.indices.last { room[$0] == "," || room[$0] == " " }.map { room.index(after: $0) }
            let isLate = end.map { room.distance(from: room.startIndex, to: $0) > width / 2 } ?? false
            let part = rest[..<(isLate ? end ?? room.endIndex : room.endIndex)]
            rest = rest[part.endIndex...]
            parts.append(part.hasSuffix(" ") ? String(part.dropLast()) : String(part))
        }
        return parts + (rest.isEmpty && !parts.isEmpty ? [] : [String(rest)])
    }
}
