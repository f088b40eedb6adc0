// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Detectors
import LinuxHost

/// The file in the state directory that holds what detectors have learnt.
struct LearntStore: Sendable {
    private struct Content: Codable {
        var version = LearntStore.version
        var learnt = LearntState()
    }

    private struct Header: Codable { var version: Int }

    /// Raised when a reader of the old layout would misread the new one.
    static let version = 1
    private static let bytesMax = 16 << 20

    let path: String

    /// Nil if there is no file.
    func read() throws(AgentError) -> LearntState? {
        let bytes: [UInt8]
        do throws(HostError) {
            bytes = try readFile(path, bytesMax: LearntStore.bytesMax)
        } catch {
            guard error.code == 2 else { throw AgentError(error.description) }
            return nil
        }
        guard let header = try? APICoding.decode(Header.self, from: bytes) else {
            throw AgentError("\(path) is damaged")
        }
        guard header.version == LearntStore.version else {
            throw AgentError("\(path) has version \(header.version), this agent reads \(LearntStore.version)")
        }
        guard let content = try? APICoding.decode(Content.self, from: bytes), content.learnt.isSound else {
            throw AgentError("\(path) is damaged")
        }
        return content.learnt
    }

    func write(_ learnt: LearntState) throws(AgentError) {
        try StateStorage.write(Content(learnt: learnt), to: path)
    }
}
