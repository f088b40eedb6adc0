// SPDX-License-Identifier: Apache-2.0

/// Renders rows for people.
struct ResultTable {
    private static let titles = ["row", "ours", "peer", "unit", "against", "ratio", "best", "bound", "result"]
    private static let leftAligned: Set = [0, 3, 4, 8]

    let rows: [Row]

    var text: String {
        let cells = [Self.titles] + rows.map(Self.cells)
        let widths = Self.titles.indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
        return cells.map { line in
            let padded = line.indices.map { column in
                let fill = String(repeating: " ", count: widths[column] - line[column].count)
                return Self.leftAligned.contains(column) ? line[column] + fill : fill + line[column]
            }
            return padded.joined(separator: "  ")
        }.joined(separator: "\n")
    }

    private static func cells(_ row: Row) -> [String] {
        [
            row.name, number(row.ours), row.peer.map(number) ?? "-", row.unit, row.peerName ?? "(absolute)",
            row.ratio.map(number) ?? "-", row.bestRatio.map(number) ?? "-", "<= " + number(row.bound),
            row.pass ? "pass" : "FAIL",
        ]
    }

    /// Three significant digits at least, no more than two decimals.
    static func number(_ value: Double) -> String {
        guard value.isFinite else { return "n/a" }
        let decimals = abs(value) >= 100 ? 0 : abs(value) >= 10 ? 1 : 2
        let scale = [1.0, 10, 100][decimals]
        let scaled = Int64((abs(value) * scale).rounded())
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard decimals > 0 else { return "\(sign)\(scaled)" }
        let fraction = String(scaled % Int64(scale))
        let zeros = String(repeating: "0", count: decimals - fraction.count)
        return "\(sign)\(scaled / Int64(scale)).\(zeros)\(fraction)"
    }
}
