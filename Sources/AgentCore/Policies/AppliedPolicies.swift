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
            let names = try directoryEntries(directory)
            // What an agent staged that died before it could say whether it came into force.
            for name in names where name.hasSuffix(AtomicFile.stagedSuffix) { unsafe unlink("\(directory)/\(name)") }
            for name in names.sorted() where name.hasSuffix(".json") {
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

    /// Policies written beside those kept, until it is known whether they came into force.
    private var staged: [(entry: Entry, policy: Policy)] = []

    /// Writes policies down without replacing any yet; all of them, or none and an error.
    mutating func stage(_ items: [PolicyBundle.Item]) throws(AgentError) {
        do throws(AgentError) {
            for item in items {
                let reference = item.policy.reference
                let entry = Entry(
                    file: item.policy.source.file, kind: reference.kind, namespace: reference.namespace,
                    name: reference.name, text: item.text)
                try StateStorage.stage(entry, for: path(reference))
                staged.append((entry, item.policy))
            }
        } catch {
            discardStaged()
            throw error
        }
    }

    /// Puts what is staged in the place of what was kept, which takes no space on disk.
    mutating func publishStaged() throws(AgentError) {
        defer { discardStaged() }
        for (entry, policy) in staged {
            do throws(HostError) {
                try AtomicFile.publish(path(entry.reference))
            } catch {
                throw AgentError(error.description)
            }
            entries[entry.reference] = entry
            policies[entry.reference] = policy
        }
    }

    /// Removes what is staged.
    mutating func discardStaged() {
        for (entry, _) in staged { AtomicFile.discard(path(entry.reference)) }
        staged = []
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
