// SPDX-License-Identifier: Apache-2.0

/// Drop reasons are numbered once, in the header; the reference page and EventModel follow it.
enum DropReasons {
    static let header = "bpf/abi/drop_reasons.h"
    static let page = "docs/reference/drop-reasons.md"

    struct Reason: Equatable {
        let name: String
        let number: Int

        /// `policy-default-deny` as `policyDefaultDeny`; `arp-spoofed` as `arpSpoofed`.
        var swiftName: String {
            let words = name.split(separator: "-")
            return words.dropFirst().reduce(String(words.first ?? "")) {
                $0 + $1.prefix(1).uppercased() + $1.dropFirst()
            }
        }
    }

    static func defined(in text: String) -> [Reason] {
        text.split(separator: "\n").compactMap { line in
            let words = line.split { " \t,".contains($0) }
            guard words.count >= 3, words[0].hasPrefix("DROP_"), words[1] == "=", let number = Int(words[2]) else {
                return nil
            }
            let name = words[0].dropFirst("DROP_".count).lowercased().replacing("_", with: "-")
            return name == "none" || name == "reason-count" ? nil : Reason(name: name, number: number)
        }
    }

    /// Rows `| 1 | `name` | ...`.
    static func documented(in text: String) -> [Reason] {
        text.split(separator: "\n").compactMap { line in
            let cells = line.split(separator: "|").map { $0.split(separator: " ").joined(separator: " ") }
            guard line.hasPrefix("|"), cells.count >= 2, let number = Int(cells[0]) else { return nil }
            return Reason(name: cells[1].filter { $0 != "`" }, number: number)
        }
    }

    static func findings(in repository: Repository) -> [Finding] {
        let defined = defined(in: repository.file(header)?.text ?? "")
        let documented = documented(in: repository.file(page)?.text ?? "")
        let model = repository.sources.filter { $0.isUnder("Sources/EventModel") }.map(\.text).joined()
        var findings: [Finding] = []
        for reason in defined where !documented.contains(reason) {
            findings.append(Finding(path: page, line: 1, message: "no row for \(reason.number) `\(reason.name)`"))
        }
        for reason in documented where !defined.contains(reason) {
            findings.append(
                Finding(path: page, line: 1, message: "\(reason.number) `\(reason.name)` is not in \(header)"))
        }
        for reason in defined where !model.contains(reason.swiftName) || !model.contains("\"\(reason.name)\"") {
            findings.append(
                Finding(
                    path: "Sources/EventModel", line: 1,
                    message: "`\(reason.swiftName)`, \"\(reason.name)\" of \(header) is missing"))
        }
        for (number, group) in Dictionary(grouping: defined, by: \.number) where group.count > 1 {
            findings.append(Finding(path: header, line: 1, message: "number \(number) is used twice"))
        }
        return findings
    }
}
