// SPDX-License-Identifier: Apache-2.0

import LinuxHost
import PolicyModel
import PolicyReading

/// The policies in the files of the watched directory.
///
/// A file with an error keeps what it held when it was last right.
struct PolicyDirectory: Sendable {
    /// A larger file is refused before it is read.
    static let fileBytesMax = 16 << 20

    private struct File: Sendable {
        var bytes: [UInt8] = []
        var policies: [Policy] = []
        var diagnostics: [Diagnostic] = []
        /// Why the file's present content is not in force.
        var problem: String?
    }

    let path: String
    private let reader: PolicyReader
    private var files: [String: File] = [:]
    /// Why the directory itself cannot be read.
    private var directoryProblem: String?

    init(path: String, reader: PolicyReader) {
        self.path = path
        self.reader = reader
    }

    /// Takes over what changed on disk.
    ///
    /// Returns false if it makes no difference.
    mutating func refresh(_ change: DirectoryChange) -> Bool {
        guard change.directoryExists else {
            // A directory that is gone is more likely a slip than the wish to open everything: keep what was in force.
            let isNews = directoryProblem == nil
            directoryProblem = files.isEmpty ? nil : "\(path) is gone; its policies stay in force until it is back"
            return isNews
        }
        return refresh(only: change.isComplete ? change.names : nil)
    }

    /// Reads the whole directory; one that does not exist holds nothing.
    mutating func refreshAll() -> Bool {
        refresh(only: nil)
    }

    private mutating func refresh(only changed: Set<String>?) -> Bool {
        directoryProblem = nil
        do throws(HostError) {
            let names = Set(try directoryEntries(path).filter(PolicyDirectory.isPolicyFile))
            let candidates = changed?.filter(PolicyDirectory.isPolicyFile) ?? names
            var isChanged = false
            for name in files.keys where !names.contains(name) {
                files[name] = nil
                isChanged = true
            }
            for name in candidates.intersection(names).sorted() where read(name) { isChanged = true }
            return isChanged
        } catch {
            // The watcher waits for a directory that is not there yet.
            if error.code == 2 && files.isEmpty { return false }
            directoryProblem = "\(error); its policies stay in force"
            return true
        }
    }

    private static func isPolicyFile(_ name: String) -> Bool {
        !name.hasPrefix(".") && [".yaml", ".yml", ".json"].contains { name.hasSuffix($0) }
    }

    /// False if the file is as it was.
    private mutating func read(_ name: String) -> Bool {
        var file = files[name] ?? File()
        do throws(HostError) {
            let bytes = try readFile("\(path)/\(name)", bytesMax: PolicyDirectory.fileBytesMax)
            if files[name] != nil && bytes == file.bytes && file.problem == nil { return false }
            let result = reader.read(bytes: bytes, file: "\(path)/\(name)")
            file.diagnostics = result.diagnostics
            if result.hasErrors {
                let errors = result.diagnostics.filter { $0.severity == .error }
                file.problem = errors.map(\.rendered).joined(separator: "\n")
            } else {
                file.bytes = bytes
                file.policies = result.policies
                file.problem = nil
            }
        } catch {
            file.problem = "\(error)"
        }
        files[name] = file
        return true
    }

    /// Every policy; of two with one reference the one in the file that sorts first.
    var policies: PolicySet {
        var set = PolicySet()
        for (_, file) in files.sorted(by: { $0.key < $1.key }) { _ = set.merge(file.policies) }
        return set
    }

    /// What is not in force and why, by file.
    var problems: [String: String] {
        var problems: [String: String] = [:]
        var set = PolicySet()
        for (name, file) in files.sorted(by: { $0.key < $1.key }) {
            let duplicates = set.merge(file.policies)
            let all = [file.problem].compactMap { $0 } + duplicates.map(\.rendered)
            if !all.isEmpty { problems["\(path)/\(name)"] = all.joined(separator: "\n") }
        }
        if let directoryProblem { problems[path] = directoryProblem }
        return problems
    }
}
