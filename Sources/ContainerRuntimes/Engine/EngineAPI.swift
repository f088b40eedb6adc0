// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import LocalHTTP

/// What an engine's REST API is asked, and how its answers read.
///
/// Podman and Docker differ here and nowhere else.
protocol EngineAPI: Sendable {
    /// `podman`, `docker`.
    var name: String { get }
    /// Target of the event stream: one JSON object a line.
    var eventsTarget: String { get }

    /// All running containers.
    func runningContainers(_ client: LocalHTTPClient) async throws -> [ContainerRecord]

    /// One container; nil if it is gone or not running.
    func container(_ id: String, _ client: LocalHTTPClient) async throws -> ContainerRecord?
}

extension EngineAPI {
    /// Asks for JSON.
    /// - Returns: nil for status 404.
    /// - Throws: `EngineError` for other statuses and for JSON of another shape.
    func get<Value: Decodable>(_ target: String, _ client: LocalHTTPClient) async throws -> Value? {
        let answer = try await client.request("GET", target)
        switch answer.status {
        case 200: break
        case 404: return nil
        default:
            let text = String(decoding: answer.body.prefix(300), as: UTF8.self)
            throw EngineError("\(name) answers \(target) with status \(answer.status): \(text)")
        }
        do {
            return try JSONDecoder().decode(Value.self, from: Data(answer.body))
        } catch {
            throw EngineError("\(name)'s answer to \(target) is not what its API describes: \(error)")
        }
    }
}

/// An engine answered, but not usefully.
struct EngineError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Percent-encodes a query value; JSON filters need it.
func queryEncoded(_ text: String) -> String {
    text.utf8.map { byte in
        let isPlain =
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
            || byte == 0x2d || byte == 0x2e || byte == 0x5f
        return isPlain
            ? String(decoding: [byte], as: UTF8.self)
            : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
    }.joined()
}
