// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxHost
import PolicyModel
import PolicyReading

/// The policies in the files of the watched directory; a file is a unit.
struct PolicyDirectory: Sendable {
    /// A larger file is refused before it is read.
    static let fileBytesMax = 16 << 20

    let path: String
    private let reader: PolicyReader
    private var files: PolicyUnits
    /// Why the directory itself cannot be read.
    private var directoryProblem: String?

    init(path: String, reader: PolicyReader) {
        self.path = path
        self.reader = reader
        files = PolicyUnits(reader: reader)
    }

    /// Takes over what changed on disk.
    ///
    /// Returns the references of policies that are new, other than before, or gone.
    mutating func refresh(_ change: DirectoryChange) -> Set<PolicyReference> {
        guard change.directoryExists else {
            // A directory that is gone is more likely a slip than the wish to open everything: keep what was in force.
            directoryProblem =
                files.names.isEmpty ? nil : "\(path) is gone; its policies stay in force until it is back"
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
            return read(names.union(files.names))
        } catch {
            // The watcher waits for a directory that is not there yet.
            if error.code != 2 || !files.names.isEmpty { directoryProblem = "\(error); its policies stay in force" }
            return []
        }
    }

    private static func isPolicyFile(_ name: String) -> Bool {
        !name.hasPrefix(".") && [".yaml", ".yml", ".json"].contains { name.hasSuffix($0) }
    }

    private mutating func read(_ names: Set<String>) -> Set<PolicyReference> {
        let path = path
        return files.update(names, file: { "\(path)/\($0)" }) { name in
            do throws(HostError) {
                return .text(try readRegularFile("\(path)/\(name)", bytesMax: PolicyDirectory.fileBytesMax))
            } catch {
                // Gone since it was listed. A link that leads nowhere is not: somebody is at work on what it led to.
                return error.code != ENOENT || isThere("\(path)/\(name)") ? .unreadable("\(error)") : .gone
            }
        }
    }

    /// The policy of a reference.
    subscript(reference: PolicyReference) -> Policy? { files[reference] }

    var references: some Collection<PolicyReference> { files.references }

    var count: Int { files.count }

    /// The files whose content is in force, to be read again apart from the agent.
    var filesInForce: FilesInForce {
        FilesInForce(path: path, reader: reader, fingerprints: files.fingerprints)
    }

    /// What is not in force and why, by file.
    var problems: [String: String] {
        var problems = files.problems.reduce(into: [:]) { $0["\(path)/\($1.key)"] = $1.value }
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

/// True if there is such a name, wherever it leads.
private func isThere(_ path: String) -> Bool {
    var status = stat()
    return unsafe lstat(path, &status) == 0
}
