// SPDX-License-Identifier: Apache-2.0

import AlertPipeline
import LocalHTTP

/// Where an HTTP sink posts to: `http://HOST[:PORT][/PATH]`.
///
/// There is no TLS: no package that Bulkhead depends on has it.
package struct HTTPPlace: Hashable, Sendable, CustomStringConvertible {
    package let host: String
    package let port: Int
    /// Path and query, from the slash on.
    package let path: String

    /// Nil: not such a text; `https` is none.
    package init?(_ text: String) {
        let scheme = "http://"
        guard text.lowercased().hasPrefix(scheme), text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { return nil }
        let rest = text.dropFirst(scheme.count)
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let path = String(rest.dropFirst(authority.count))
        guard !authority.contains("@"), !path.contains("#"), path.isEmpty || path.hasPrefix("/") else { return nil }
        let host: Substring
        let tail: Substring
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            (host, tail) = (authority.dropFirst().prefix(upTo: end), authority[authority.index(after: end)...])
        } else {
            host = authority.prefix { $0 != ":" }
            tail = authority.dropFirst(host.count)
        }
        guard !host.isEmpty else { return nil }
        if tail.isEmpty {
            port = 80
        } else {
            guard tail.first == ":", let number = UInt16(tail.dropFirst()), number > 0 else { return nil }
            port = Int(number)
        }
        self.host = String(host)
        self.path = path.isEmpty ? "/" : path
    }

    package var description: String {
        "http://\(host.contains(":") ? "[\(host)]" : host):\(port)\(path)"
    }

    /// Posts JSON and judges the answer.
    func post(_ body: [UInt8], path: String, timeout: Duration) async throws(SinkError) {
        let client = LocalHTTPClient(host: host, port: port, timeout: timeout, bodyBytesMax: 1 << 20)
        let answer: LocalHTTPClient.Answer
        do {
            answer = try await client.request("POST", path, body: body, contentType: "application/json")
        } catch {
            throw SinkError("\(error)")
        }
        guard !(200..<300).contains(answer.status) else { return }
        let text = AlertEvidence.cut(String(decoding: answer.body.prefix(512), as: UTF8.self), bytes: 200)
        // What the receiver calls wrong stays wrong; all else may pass.
        let isRefusal = (400..<500).contains(answer.status) && ![401, 403, 404, 408, 425, 429].contains(answer.status)
        throw SinkError(
            "\(self) answered \(answer.status)" + (text.isEmpty ? "" : ": \(text)"), isRefusal: isRefusal)
    }
}
