// SPDX-License-Identifier: Apache-2.0

/// The index of the example policies says of each file what the file says of itself, and lists nothing else.
enum ExampleIndex {
    private static let folder = "Examples/policies"
    private static let index = "Examples/policies/README.md"

    static func findings(in repository: Repository) -> [Finding] {
        guard let page = repository.file(index) else {
            return [Finding(path: index, line: 1, message: "the index of the examples is missing")]
        }
        let written = page.lines.enumerated().filter { $0.element.hasPrefix("- [") }
        let wanted = examples(in: repository).map(line)
        let missing = wanted.filter { line in !written.contains { $0.element == line } }
        return missing.map { Finding(path: index, line: 1, message: "add the line: \($0)") }
            + written.filter { !wanted.contains(String($0.element)) }.map {
                Finding(path: index, line: $0.offset + 1, message: "no example says so of itself: \($0.element)")
            }
    }

    private static func examples(in repository: Repository) -> [SourceFile] {
        repository.files.filter { $0.isUnder(folder) && !$0.isUnder("\(folder)/tests") && $0.path != index }
    }

    // `- [default-deny.yaml](default-deny.yaml): Closes both directions for every workload of namespace default.`
    private static func line(of file: SourceFile) -> String {
        "- [\(file.name)](\(file.name)): \(sentence(of: file))"
    }

    /// The first sentence of the comment at the top.
    static func sentence(of file: SourceFile) -> String {
        let comment = file.lines.prefix { $0.hasPrefix("#") }.map { $0.drop { $0 == "#" || $0 == " " } }
            .joined(separator: " ")
        guard let end = comment.firstRange(of: ". ") else { return comment }
        return String(comment[..<end.lowerBound]) + "."
    }
}
