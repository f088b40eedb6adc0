// SPDX-License-Identifier: Apache-2.0

import CNIPlugin
import ControlAPI
import LinuxHost
import Synchronization

/// All attachments of this host, and the file that brings them over a restart of the agent.
///
/// Not over one of the host: interfaces are numbered anew.
final class AttachmentTable: Sendable {
    private struct File: Codable {
        static let currentVersion = 1

        var version = File.currentVersion
        var bootID: String
        var attachments: [Attachment]
    }

    private let path: String
    private let content: Mutex<[AttachmentName: Attachment]>

    /// Reads the file if there is one.
    init(path: String) throws(AgentError) {
        self.path = path
        let file = try StateStorage.read(File.self, from: path)
        guard file.map({ $0.version == File.currentVersion }) ?? true else {
            throw AgentError("cannot read \(path): it is of another version; use the agent that wrote it")
        }
        let all = file?.bootID == (try? HostClock.bootID()) ? file?.attachments ?? [] : []
        content = Mutex(Dictionary(all.map { ($0.request.name, $0) }) { $1 })
    }

    var all: [Attachment] { content.withLock { $0.values.sorted { $0.key < $1.key } } }

    subscript(name: AttachmentName) -> Attachment? { content.withLock { $0[name] } }

    /// Changes and writes down.
    ///
    /// What cannot be written is changed all the same: it is in force, and lost only if the agent ends.
    @discardableResult
    func change<Value>(
        _ body: (inout [AttachmentName: Attachment]) throws(AgentError) -> Value
    ) throws(AgentError) -> Value {
        // Two writers could leave the older state.
        try content.withLock { (content) throws(AgentError) in
            let before = content
            let value = try body(&content)
            if content != before { try write(Array(content.values)) }
            return value
        }
    }

    private func write(_ attachments: [Attachment]) throws(AgentError) {
        let file = File(
            bootID: (try? HostClock.bootID()) ?? "", attachments: attachments.sorted { $0.key < $1.key })
        do {
            // What a power failure takes with it, it takes the interfaces too.
            try AtomicFile.write(APICoding.encode(file), to: path, isSynced: false)
        } catch {
            throw AgentError("\(error)")
        }
    }
}
