// SPDX-License-Identifier: Apache-2.0

import ClusterSchema
import LinuxHost

/// The store's own name, drawn by the first node that finds none: a store that lost its data has another one, or none.
///
/// The number that etcd has for itself is no help: members with the same flags have the same one again.
struct StoreName: Sendable {
    let client: EtcdClient
    let key: String

    /// As it is in the store; nil: there is none.
    func current() async throws -> String? {
        try await client.get(key).map { String(decoding: $0.value, as: UTF8.self) }
    }

    /// That which is there, or a new one.
    func claim() async throws -> String {
        while true {
            if let name = try await current() { return name }
            let name = Name.random()
            let batch = Publication.Batch(puts: [key: Array(name.utf8)])
            if try await client.commit(batch, if: [.isAbsent(key)]) != nil { return name }
        }
    }
}

/// Names that nobody else has.
package enum Name {
    package static func random() -> String {
        (0..<2).map { _ in String(UInt64.random(in: .min ... .max), radix: 36) }.joined()
    }
}

/// Where a name outlives the agent.
struct NameFile: Sendable {
    /// Nil: nowhere.
    let path: String?

    func read() -> String? {
        guard let path, let text = try? readTextFile(path) else { return nil }
        let line = text.prefix { !$0.isNewline }
        return line.isEmpty ? nil : String(line)
    }

    /// Without it the next start takes the store at its word.
    func write(_ name: String) {
        guard let path, read() != name else { return }
        try? AtomicFile.write(Array("\(name)\n".utf8), to: path)
    }
}
