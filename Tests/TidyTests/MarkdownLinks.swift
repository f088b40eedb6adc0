// SPDX-License-Identifier: Apache-2.0

/// A relative link of a page must lead to a file of this repository, and its fragment to a heading there.
enum MarkdownLinks {
    static func findings(in repository: Repository) -> [Finding] {
        repository.files.filter { $0.hasSuffix(".md") }.flatMap { file in
            links(in: file.text).compactMap { line, target in
                problem(of: target, from: file, in: repository).map {
                    Finding(path: file.path, line: line, message: $0)
                }
            }
        }
    }

    /// Line numbers and targets of `[text](target)` outside fenced and inline code.
    static func links(in text: String) -> [(line: Int, target: String)] {
        var isFenced = false
        var links: [(Int, String)] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.drop(while: { $0 == " " }).hasPrefix("```") { isFenced.toggle() }
            guard !isFenced else { continue }
            let prose = line.split(separator: "`", omittingEmptySubsequences: false).enumerated()
                .filter { $0.offset % 2 == 0 }.map(\.element).joined(separator: "code")
            for part in prose.split(separator: "](", omittingEmptySubsequences: false).dropFirst() {
                links.append((index + 1, String(part.prefix { $0 != ")" && $0 != " " })))
            }
        }
        return links
    }

    private static let roots = [
        "bpf/", "Sources/", "Plugins/", "scripts/", "docs/", "Examples/", "Deploy/", "Benchmarks/",
    ]

    /// Paths in backticks, such as `bpf/abi`, must exist: the architecture page is an address list.
    static func pathFindings(in repository: Repository) -> [Finding] {
        var findings: [Finding] = []
        for file in repository.files where file.hasSuffix(".md") && !file.isUnder("docs/decisions") {
            for (index, line) in file.lines.enumerated() {
                for path in namedPaths(in: line) where !repository.paths.contains(path) {
                    findings.append(Finding(path: file.path, line: index + 1, message: "`\(path)` does not exist"))
                }
            }
        }
        return findings
    }

    /// Code that begins with a folder of the repository and is neither a command nor a pattern nor a product of a run.
    private static func namedPaths(in line: Substring) -> [String] {
        var paths: [String] = []
        for (index, code) in line.split(separator: "`", omittingEmptySubsequences: false).enumerated()
        where index % 2 == 1 {
            let isPath = roots.contains { code.hasPrefix($0) } && !code.contains { " *<…".contains($0) }
            guard isPath, !code.hasSuffix("results.json") else { continue }
            paths.append(String(code.last == "/" ? code.dropLast() : code))
        }
        return paths
    }

    private static func problem(of target: String, from file: SourceFile, in repository: Repository) -> String? {
        guard !target.contains("://"), !target.hasPrefix("mailto:") else { return nil }
        let parts = target.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
        let path = parts[0].isEmpty ? file.path : resolve(String(parts[0]), from: file.path)
        guard repository.paths.contains(path) else { return "link to \(target): \(path) does not exist" }
        guard parts.count == 2, let page = repository.file(path), page.hasSuffix(".md") else { return nil }
        return headings(in: page.text).contains(String(parts[1])) ? nil : "link to \(target): no such heading"
    }

    static func resolve(_ target: String, from path: String) -> String {
        var parts = path.split(separator: "/").dropLast().map(String.init)
        for part in target.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(String(part)) }
        }
        return parts.joined(separator: "/")
    }

    /// Anchors as forges make them: lower case, spaces to hyphens, punctuation dropped.
    static func headings(in text: String) -> Set<String> {
        Set(
            text.split(separator: "\n").filter { $0.hasPrefix("#") }.map { line in
                line.drop { $0 == "#" }.drop { $0 == " " }.lowercased()
                    .compactMap { $0 == " " ? "-" : $0.isLetter || $0.isNumber || "-_".contains($0) ? String($0) : nil }
                    .joined()
            })
    }
}
