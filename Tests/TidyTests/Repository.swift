// SPDX-License-Identifier: Apache-2.0
import Foundation

/// One text file, by its path from the root of the repository.
struct SourceFile: Sendable {
    let path: String
    let text: String

    var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
    var name: String { String(path.split(separator: "/").last ?? "") }

    /// A search over bytes: much faster than over characters, and exact for the plain words that rules look for.
    func mentions(_ word: String) -> Bool {
        unsafe strstr(text, word) != nil
    }

    func isUnder(_ folders: String...) -> Bool {
        folders.contains { path.hasPrefix($0 + "/") }
    }

    func hasSuffix(_ suffixes: String...) -> Bool {
        suffixes.contains { path.hasSuffix($0) }
    }
}

/// What a rule found: where, what, and what to do instead.
struct Finding: CustomStringConvertible, Equatable {
    let path: String
    let line: Int
    let message: String

    var description: String { "\(path):\(line): \(message)" }
}

/// The files that rules look at; from disk, or made up by the tests of the rules.
struct Repository: Sendable {
    var files: [SourceFile]
    /// Every path that exists, folders included: links may point at files that are not text.
    var paths: Set<String>

    init(_ samples: [String: String]) {
        files = samples.map { SourceFile(path: $0.key, text: $0.value) }.sorted { $0.path < $1.path }
        paths = []
        for path in samples.keys {
            var parts = path.split(separator: "/")
            while !parts.isEmpty {
                paths.insert(parts.joined(separator: "/"))
                parts.removeLast()
            }
        }
    }

    func file(_ path: String) -> SourceFile? { files.first { $0.path == path } }

    /// Swift files that ship, as against tests.
    var sources: [SourceFile] { files.filter { $0.isUnder("Sources", "Plugins") && $0.hasSuffix(".swift") } }
    var tests: [SourceFile] {
        files.filter { $0.isUnder("Tests", "DatapathTests", "IntegrationTests") && $0.hasSuffix(".swift") }
    }
    var swift: [SourceFile] { files.filter { $0.hasSuffix(".swift") } }
}

extension Repository {
    /// The working tree, read once.
    static let shared = Result { try onDisk() }

    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Reads the working tree, without what is built or downloaded.
    static func onDisk() throws -> Repository {
        let skipped: Set<String> = [".build", ".git", ".swiftpm", "dist"]
        var repository = Repository([:])
        let enumerator = FileManager.default.enumerator(at: root, includingPropertiesForKeys: [.isRegularFileKey])
        while let url = enumerator?.nextObject() as? URL {
            if skipped.contains(url.lastPathComponent) {
                enumerator?.skipDescendants()
                continue
            }
            let path = String(url.path.dropFirst(root.path.count + 1))
            repository.paths.insert(path)
            guard try url.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile == true else { continue }
            guard let text = try? String(contentsOf: url, encoding: .utf8) else { continue }
            repository.files.append(SourceFile(path: path, text: text))
        }
        repository.files.sort { $0.path < $1.path }
        return repository
    }
}
