// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxHost
import PolicyModel
import PolicyReading

/// The policies in the files of the watched directory.
///
/// A file is a unit: one with an error, or with a policy that another file has, keeps what it held when it was last
/// right. What changes comes out as references, so that
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

    /// What a file holds now; without fingerprint it is gone.
    private struct Content {
        var fingerprint: ContentFingerprint?
        var policies: [Policy] = []
    }

    let path: String
    private let reader: PolicyReader
    private var files: [String: File] = [:]
    private var definitions = PolicyDefinitions()
    /// Files that only policies of other files keep out.
    private var waiting: Set<String> = []
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

    /// All together, so that a policy may move from one file to another.
    private mutating func read(_ names: Set<String>) -> Set<PolicyReference> {
        var news: [String: Content] = [:]
        for name in names.union(waiting) { news[name] = content(of: name) }
        waiting = waiting.filter { news[$0] != nil }
        for (name, diagnostics) in definitions.conflicts(news.mapValues(\.policies)) {
            news[name] = nil
            files[name, default: File()].problem = diagnostics.map(\.rendered).joined(separator: "\n")
            waiting.insert(name)
        }
        waiting.subtract(news.keys)
        let held = news.keys.reduce(into: [:]) { $0[$1] = files[$1]?.references }
        let touched = definitions.replace(held, with: news.mapValues(\.policies))
        for (name, content) in news {
            files[name] = content.fingerprint.map {
                File(fingerprint: $0, references: content.policies.map(\.reference))
            }
        }
        return touched
    }

    /// What a file holds; nil if that is what is in force, or if it is wrong, which is noted.
    private mutating func content(of name: String) -> Content? {
        var file = files[name] ?? File()
        do throws(HostError) {
            let bytes = try readRegularFile("\(path)/\(name)", bytesMax: PolicyDirectory.fileBytesMax)
            let fingerprint = ContentFingerprint(bytes)
            if fingerprint == file.fingerprint && file.problem == nil { return nil }
            let result = reader.read(bytes: bytes, file: "\(path)/\(name)")
            guard result.hasErrors else { return Content(fingerprint: fingerprint, policies: result.policies) }
            file.problem = result.diagnostics.filter { $0.severity == .error }.map(\.rendered).joined(separator: "\n")
        } catch {
            // Gone since it was listed. A link that leads nowhere is not: somebody is at work on what it led to.
            guard error.code != ENOENT || isThere("\(path)/\(name)") else { return Content() }
            file.problem = "\(error); what it held before stays in force"
        }
        files[name] = file
        return nil
    }

    /// The policy of a reference.
    subscript(reference: PolicyReference) -> Policy? { definitions[reference] }

    var references: some Collection<PolicyReference> { definitions.references }

    var count: Int { definitions.count }

    /// The files whose content is in force, to be read again apart from the agent.
    var filesInForce: FilesInForce {
        FilesInForce(path: path, reader: reader, fingerprints: files.compactMapValues(\.fingerprint))
    }

    /// What is not in force and why, by file.
    var problems: [String: String] {
        var problems = files.reduce(into: [:]) { $0["\(path)/\($1.key)"] = $1.value.problem }
        if let directoryProblem { problems[path] = directoryProblem }
        return problems
    }
}

extension PolicyDirectory {
    /// The files whose content is in force.
    struct FilesInForce: Sendable {
        fileprivate let path: String
        fileprivate let reader: PolicyReader
        fileprivate let fingerprints: [String: ContentFingerprint]

        /// What the reader says of them, read anew, and the paths of those that are other ones by now.
        func diagnostics() -> (found: [Diagnostic], changed: Set<String>) {
            var found: [Diagnostic] = []
            var changed: Set<String> = []
            for name in fingerprints.keys.sorted() {
                let file = "\(path)/\(name)"
                if let bytes = try? readRegularFile(file, bytesMax: PolicyDirectory.fileBytesMax),
                    ContentFingerprint(bytes) == fingerprints[name]
                {
                    found += reader.read(bytes: bytes, file: file).diagnostics
                } else {
                    changed.insert(file)
                }
            }
            return (found, changed)
        }
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

/// True if there is such a name, wherever it leads.
private func isThere(_ path: String) -> Bool {
    var status = stat()
    return unsafe lstat(path, &status) == 0
}
