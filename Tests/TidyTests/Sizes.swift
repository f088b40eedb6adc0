// SPDX-License-Identifier: Apache-2.0

/// Ceilings: a file holds one concept, a function fits on a screen.
///
/// Functions that are longer than the limit stand in the ratchet file with their length, which may only shrink.
enum Sizes {
    static let swiftFileLines = 600
    static let kernelFileLines = 300
    static let fileBytes = 256 * 1024
    static let functionLines = 70
    static let ratchetPath = "scripts/tidy/function-length.txt"

    static func fileFindings(in repository: Repository) -> [Finding] {
        repository.files.compactMap { file in
            if file.text.utf8.count > fileBytes {
                return Finding(
                    path: file.path, line: 1, message: "larger than \(fileBytes / 1024) KiB; keep data out of git")
            }
            let limit: Int
            if file.isUnder("bpf") && file.hasSuffix(".c", ".h") {
                limit = kernelFileLines
            } else if file.path.contains("/Generated/") {
                // A generator's file is as long as what it was made from.
                return nil
            } else if file.hasSuffix(".swift", ".c", ".h") {
                limit = swiftFileLines
            } else {
                return nil
            }
            let count = file.lines.count - 1
            guard count > limit else { return nil }
            return Finding(path: file.path, line: limit, message: "\(count) lines, ceiling \(limit): split by concept")
        }
    }

    static func functionFindings(in repository: Repository) -> [Finding] {
        var allowed = ratchet(repository.file(ratchetPath)?.text ?? "")
        var findings: [Finding] = []
        for file in repository.files where !file.path.contains("/Generated/") {
            for function in functions(in: file) where function.length > functionLines {
                let key = "\(file.path) \(function.name)"
                let limit = allowed.removeValue(forKey: key) ?? functionLines
                guard function.length > limit else { continue }
                findings.append(
                    Finding(
                        path: file.path, line: function.line,
                        message: "\(function.name) has \(function.length) lines, limit \(limit): name its parts"))
            }
        }
        for key in allowed.keys.sorted() {
            findings.append(
                Finding(path: ratchetPath, line: 1, message: "\(key) is within the limit now: delete its line"))
        }
        return findings
    }

    struct Function: Equatable {
        let name: String
        let line: Int
        let length: Int
    }

    static func functions(in file: SourceFile) -> [Function] {
        if file.hasSuffix(".swift") { return SwiftBodies(SwiftCode(file.text).lines).all }
        if file.hasSuffix(".c", ".h") { return kernelFunctions(file.lines) }
        return []
    }

    /// Kernel style: the opening and the closing brace of a function stand alone in the first column.
    private static func kernelFunctions(_ lines: [Substring]) -> [Function] {
        lines.enumerated().compactMap { index, line in
            guard line == "{", index > 0, let end = lines[index...].firstIndex(of: "}") else { return nil }
            var start = index - 1
            while start > 0, lines[start].first == "\t" || lines[start].first == " " { start -= 1 }
            let head = lines[start].prefix { $0 != "(" }
            let name = head.split { !($0.isLetter || $0.isNumber || $0 == "_") }.last.map(String.init) ?? "?"
            return Function(name: name, line: start + 1, length: end - index + 1)
        }
    }

    /// Lines `length path function`; `#` begins a comment.
    static func ratchet(_ text: String) -> [String: Int] {
        var limits: [String: Int] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let words = line.split(separator: " ")
            guard words.count == 3, let length = Int(words[0]) else { continue }
            limits["\(words[1]) \(words[2])"] = length
        }
        return limits
    }
}
