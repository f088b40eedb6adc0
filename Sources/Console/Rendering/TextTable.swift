// SPDX-License-Identifier: Apache-2.0

/// Columns for people: left-aligned, two blanks between, as wide as needed, no trailing blanks.
struct TextTable {
    private let header: [String]
    private var rows: [[String]] = []

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
        let widths = header.indices.map { column in
            cells.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
        }
        return cells.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                line += cell
                if column + 1 < row.count {
                    line += String(repeating: " ", count: widths[column] - cell.count + 2)
                }
            }
            return line
        }
    }
}
