// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxHost
import PolicyModel
import PolicyReading

/// Policies applied through the API, one file each in the state directory.
struct AppliedPolicies: Sendable {
    /// A policy with what is needed to show it and to read it again.
    struct Entry: Codable, Sendable {
        /// Name of the file or stream it came from.
        var file: String
        var kind: String
        var namespace: String
        var name: String
        /// Padded as `PolicyBundle.Item.text`.
        var text: String

        var reference: PolicyReference { PolicyReference(kind: kind, namespace: namespace, name: name) }
    }

    private let directory: String
    private(set) var entries: [PolicyReference: Entry] = [:]

    /// Reads what an earlier agent kept; a file that cannot be read is a problem and stays where it is.
    init(directory: String, reader: PolicyReader) throws(AgentError) {
        self.directory = directory
        do throws(HostError) {
            try createDirectory(directory, mode: 0o700)
            for name in try directoryEntries(directory).sorted() where name.hasSuffix(".json") {
                do throws(AgentError) {
                    guard let entry = try StateStorage.read(Entry.self, from: "\(directory)/\(name)") else { continue }
                    try read(entry, reader)
                } catch {
                    problems["\(directory)/\(name)"] = error.description
                }
            }
        } catch {
            throw AgentError(error.description)
        }
    }

    /// By reference.
    private(set) var policies: [PolicyReference: Policy] = [:]
    /// Stored policies that could not be read, by path.
    private(set) var problems: [String: String] = [:]

    private mutating func read(_ entry: Entry, _ reader: PolicyReader) throws(AgentError) {
        let result = reader.read(entry.text, file: entry.file)
        guard let policy = result.policies.first(where: { $0.reference == entry.reference }) else {
            throw AgentError(result.diagnostics.first?.description ?? "holds no policy \(entry.reference.text)")
        }
        entries[entry.reference] = entry
        policies[entry.reference] = policy
    }

    /// Writes a policy down.
    mutating func keep(_ item: PolicyBundle.Item) throws(AgentError) {
        let reference = item.policy.reference
        let entry = Entry(
            file: item.policy.source.file, kind: reference.kind, namespace: reference.namespace, name: reference.name,
            text: item.text)
        try StateStorage.write(entry, to: path(reference))
        entries[reference] = entry
        policies[reference] = item.policy
    }

    /// Forgets a policy.
    mutating func remove(_ reference: PolicyReference) throws(AgentError) {
        guard unsafe unlink(path(reference)) == 0 || errno == ENOENT else {
            throw AgentError("cannot remove \(path(reference)): \(errnoText(errno))")
        }
        entries[reference] = nil
        policies[reference] = nil
    }

    /// Kinds, namespaces and names are DNS names, so none holds a slash or an underscore.
    private func path(_ reference: PolicyReference) -> String {
        "\(directory)/\(reference.kind)_\(reference.namespace)_\(reference.name).json"
    }
}
