// SPDX-License-Identifier: Apache-2.0

/// Licence lines, and nothing that is true on one machine only.
enum Hygiene {
    static func licenceFindings(in repository: Repository) -> [Finding] {
        repository.files.compactMap { file in
            let isScript = file.isUnder("scripts", ".ci") && file.text.hasPrefix("#!")
            let isSource = file.hasSuffix(".swift", ".c", ".h", ".sh") || isScript || file.name == "Makefile"
            guard isSource, file.name != "Package.swift" else { return nil }
            let kernel = "GPL-2.0-only OR BSD-2-Clause"
            var accepted = ["Apache-2.0"]
            // C beside bpf/ may be shared with kernel programs of tests and benchmarks.
            if file.hasSuffix(".c", ".h") { accepted = file.isUnder("bpf") ? [kernel] : [kernel, "Apache-2.0"] }
            let head = file.lines.prefix(3)
            guard
                !accepted.contains(where: { name in head.contains { $0.contains("SPDX-License-Identifier: " + name) } })
            else { return nil }
            let wanted = "SPDX-License-Identifier: " + accepted[0]
            return Finding(path: file.path, line: 1, message: "begins without `\(wanted)`")
        }
    }

    // In pieces, so that this file does not find itself.
    private static let machinePaths = [
        "/ro" + "ot", "/wo" + "rk", "/ho" + "me", "/Us" + "ers", "/mn" + "t", "/opt/" + "swift",
    ]
    private static let scratchPath = "/tm" + "p/"
    private static let packageHosts = [
        "deb.deb" + "ian.org", "archive.ubu" + "ntu.com", "pypi" + ".org", "npmjs" + ".org",
    ]

    static func locationFindings(in repository: Repository) -> [Finding] {
        repository.files.filter { !$0.isUnder("LICENSES") }.flatMap { file -> [Finding] in
            guard (machinePaths + packageHosts + [scratchPath]).contains(where: { file.mentions($0) }) else {
                return []
            }
            return file.lines.enumerated().flatMap { index, line -> [Finding] in
                let places =
                    machinePaths.filter { standsAlone($0, in: line) } + packageHosts.filter { line.contains($0) }
                    + (isScratchOfOthers(line) ? [scratchPath] : [])
                return places.map {
                    Finding(path: file.path, line: index + 1, message: "`\($0)` exists on some machines only")
                }
            }
        }
    }

    /// Whether the path begins at its root here and ends with itself or a slash, as against a part of a longer path,
    /// address or word.
    private static func standsAlone(_ path: String, in line: Substring) -> Bool {
        rests(of: path, in: line).contains { rest in
            guard let after = rest.first else { return true }
            return !(after.isLetter || after.isNumber || "-_.".contains(after))
        }
    }

    /// Whether a file for a moment is named that does not say whose it is: those of tests begin with our name.
    private static func isScratchOfOthers(_ line: Substring) -> Bool {
        rests(of: scratchPath, in: line).contains { !$0.hasPrefix("bulkhead-") && !$0.hasPrefix("a.XX") }
    }

    /// What follows wherever the path begins at its root.
    private static func rests(of path: String, in line: Substring) -> [Substring] {
        var found: [Substring] = []
        var begin = line.startIndex
        while let range = line[begin...].firstRange(of: path) {
            let before = line[..<range.lowerBound].last ?? " "
            begin = range.upperBound
            if !(before.isLetter || before.isNumber || "-_.~*})/".contains(before)) { found.append(line[begin...]) }
        }
        return found
    }
}
