// SPDX-License-Identifier: Apache-2.0

/// Foundation carries 40 MB of character tables into a static binary; its essentials do not.
///
/// Values and logic need neither.
enum ImportRules {
    static func findings(in repository: Repository) -> [Finding] {
        let pure = Set(PackageLayers(manifest: repository.file("Package.swift")?.text ?? "").targets(inLayers: 0...1))
        return repository.sources.flatMap { file -> [Finding] in
            guard file.isUnder("Sources"), file.mentions("Foundation") else { return [] }
            let target = String(file.path.split(separator: "/")[1])
            return SwiftCode(file.text).lines.enumerated().compactMap { index, line in
                guard let module = importedModule(line), module.hasPrefix("Foundation") else { return nil }
                if pure.contains(target) {
                    return Finding(path: file.path, line: index + 1, message: "layers 0 and 1 work without Foundation")
                }
                guard module != "FoundationEssentials" else { return nil }
                return Finding(
                    path: file.path, line: index + 1, message: "import FoundationEssentials: Foundation adds 40 MB")
            }
        }
    }

    /// `Foundation` of `package import struct Foundation.Data`.
    static func importedModule(_ line: String) -> String? {
        var words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
        guard let keyword = words.firstIndex(of: "import"), keyword + 1 < words.count else { return nil }
        words.removeSubrange(...keyword)
        let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
        if let first = words.first, kinds.contains(first) { words.removeFirst() }
        return words.first.flatMap { $0.split(separator: ".").first }.map(String.init)
    }
}
