// SPDX-License-Identifier: Apache-2.0

/// The committed limits: verified instructions that a program may cost, one `name number` line each.
///
/// A ratchet: it is lowered when a program becomes cheaper, and raised only by an edit that somebody reads.
package struct Ratchet: Sendable {
    package var limits: [String: Int]

    /// Reads the file's text; `#` begins a comment.
    ///
    /// Throws a text that names the line.
    package init(parsing text: String, file: String) throws(RatchetError) {
        limits = [:]
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.prefix { $0 != "#" }.split(separator: " ")
            if words.isEmpty { continue }
            guard words.count == 2, let limit = Int(words[1]) else {
                throw RatchetError(
                    reason: "\(file):\(index + 1): expected a program's name and a number, found '\(line)'")
            }
            limits[String(words[0])] = limit
        }
    }

    /// What is wrong with the reports: programs past their limit, without one, or gone.
    package func violations(of reports: [ProgramReport]) -> [String] {
        var found = reports.compactMap { report -> String? in
            guard let limit = limits[report.name] else {
                return "\(report.name) has no limit; add the line '\(report.name) \(report.verifiedInstructions)'"
            }
            guard report.verifiedInstructions > limit else { return nil }
            return "\(report.name) costs \(report.verifiedInstructions) verified instructions, its limit is \(limit)"
        }
        let present = Set(reports.map(\.name))
        found += limits.keys.filter { !present.contains($0) }.sorted().map { "\($0) has a limit but is not there" }
        return found
    }
}

/// A ratchet file that cannot be read.
package struct RatchetError: Error, CustomStringConvertible, Sendable {
    package let reason: String
    package var description: String { reason }
}
