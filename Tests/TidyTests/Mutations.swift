// SPDX-License-Identifier: Apache-2.0

/// The mutations of `scripts/mutate`: each names lines of a file, and stops the script once those have changed.
enum Mutations {
    static func findings(in repository: Repository) -> [Finding] {
        repository.files.filter { $0.isUnder("scripts/mutations") }.compactMap { mutation in
            let name = mutation.lines.first { $0.hasPrefix("file: ") }?.dropFirst("file: ".count)
            guard let name, let target = repository.file(String(name)) else {
                return Finding(path: mutation.path, line: 2, message: "names no file of the repository")
            }
            let old = mutation.lines.filter { $0.hasPrefix("-") }.map { $0.dropFirst() }.joined(separator: "\n")
            let count = target.text.split(separator: old, omittingEmptySubsequences: false).count - 1
            guard old.isEmpty || count != 1 else { return nil }
            return Finding(
                path: mutation.path, line: 3,
                message: "its lines occur \(count) times in \(target.path), not once: bring it up to date")
        }
    }
}
