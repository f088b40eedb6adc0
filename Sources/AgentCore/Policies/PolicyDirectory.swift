// SPDX-License-Identifier: Apache-2.0

import LinuxHost
import PolicyModel
import PolicyReading

/// The policies in the files of the watched directory.
///
/// A file with an error keeps what it held when it was last right. What changes comes out as references, so that
/// everything behind it looks at these policies and no others.
struct PolicyDirectory: Sendable {
    /// A larger file is refused before it is read.
    static let fileBytesMax = 16 << 20

    private struct File: Sendable {
        /// Of the content in force.
        var fingerprint: ContentFingerprint?
        /// The policies in force.
        var references: [PolicyReference] = []
        /// Why the file's present content is not in force.
        var problem: String?
    }

    let path: String
    private let reader: PolicyReader
    private var files: [String: File] = [:]
    private var definitions = PolicyDefinitions()
    /// Why the directory itself cannot be read.
    private var directoryProblem: String?

    init(path: String, reader: PolicyReader) {
        self.path = path
        self.reader = reader
    }

    /// Takes over what changed on disk.
    ///
    /// Returns the references of policies that are new, other than before, or gone.
    mutating func refresh(_ change: DirectoryChange) -> Set<PolicyReference> {
        guard change.directoryExists else {
            // A directory that is gone is more likely a slip than the wish to open everything: keep what was in force.
            directoryProblem = files.isEmpty ? nil : "\(path) is gone; its policies stay in force until it is back"
            return []
        }
        // `..data` of a mounted ConfigMap switches all files at once.
        let isWhole = !change.isComplete || directoryProblem != nil || change.names.contains { $0.hasPrefix("..") }
        return isWhole ? refreshAll() : read(change.names.filter(PolicyDirectory.isPolicyFile))
    }

    /// Reads the whole directory; one that does not exist holds nothing.
    mutating func refreshAll() -> Set<PolicyReference> {
        directoryProblem = nil
        do throws(HostError) {
            let names = Set(try directoryEntries(path).filter(PolicyDirectory.isPolicyFile))
            return read(names.union(files.keys))
        } catch {
            // The watcher waits for a directory that is not there yet.
            if error.code != 2 || !files.isEmpty { directoryProblem = "\(error); its policies stay in force" }
            return []
        }
    }

    private static func isPolicyFile(_ name: String) -> Bool {
        !name.hasPrefix(".") && [".yaml", ".yml", ".json"].contains { name.hasSuffix($0) }
    }

    /// In order, so that of two new files with one policy it is clear which was first.
    private mutating func read(_ names: Set<String>) -> Set<PolicyReference> {
        names.sorted().reduce(into: []) { $0.formUnion(read($1)) }
    }

    private mutating func read(_ name: String) -> Set<PolicyReference> {
        var file = files[name] ?? File()
        do throws(HostError) {
            let bytes = try readFile("\(path)/\(name)", bytesMax: PolicyDirectory.fileBytesMax)
            let fingerprint = ContentFingerprint(bytes)
            if fingerprint == file.fingerprint && file.problem == nil { return [] }
            let result = reader.read(bytes: bytes, file: "\(path)/\(name)")
            guard !result.hasErrors else {
                let errors = result.diagnostics.filter { $0.severity == .error }
                file.problem = errors.map(\.rendered).joined(separator: "\n")
                files[name] = file
                return []
            }
            let touched = definitions.replace(file.references, with: result.policies, in: name)
            files[name] = File(fingerprint: fingerprint, references: result.policies.map(\.reference))
            return touched
        } catch {
            guard error.code != 2 else {
                files[name] = nil
                return definitions.replace(file.references, with: [], in: name)
            }
            file.problem = "\(error)"
            files[name] = file
            return []
        }
    }

    /// The policy of a reference; of two the one in the file that sorts first.
    subscript(reference: PolicyReference) -> Policy? { definitions[reference] }

    var references: some Collection<PolicyReference> { definitions.references }

    var count: Int { definitions.count }

    /// What is not in force and why, by file.
    var problems: [String: String] {
        var problems = files.reduce(into: [:]) { $0["\(path)/\($1.key)"] = $1.value.problem }
        for (name, diagnostic) in definitions.duplicates {
            problems["\(path)/\(name)", default: ""] +=
                (problems["\(path)/\(name)"] == nil ? "" : "\n") + diagnostic.rendered
        }
        if let directoryProblem { problems[path] = directoryProblem }
        return problems
    }
}

/// Tells whether a file still has the content that was read before, without keeping that content.
///
/// The hash is keyed anew in every process.
private struct ContentFingerprint: Equatable {
    private let byteCount: Int
    private let hash: Int

    init(_ bytes: [UInt8]) {
        byteCount = bytes.count
        hash = bytes.hashValue
    }
}
