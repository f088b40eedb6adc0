// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxHost
import Synchronization
import Testing

/// An HTTP server on loopback that gives one answer after the other, each on a connection of its own.
final class CannedServer: Sendable {
    private let listener: Int32
    let port: Int
    private let requests = Mutex<[String]>([])

    init() throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = self.listener
        let isBound = unsafe withUnsafeMutablePointer(to: &name) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(listener, $0, size) == 0 && getsockname(listener, $0, &size) == 0
            }
        }
        try #require(isBound && listen(listener, 16) == 0)
        port = Int(UInt16(bigEndian: name.sin_port))
    }

    /// Serves the answers in turn and returns the requests; nil: no answer, the connection just stays until the end.
    func serve(_ answers: [String?]) async throws -> [String] {
        try await DedicatedThread.run(name: "canned") { [self] in
            var held: [Int32] = []
            for answer in answers {
                let connection = accept(listener, nil, nil)
                let request = read(connection)
                requests.withLock { $0.append(request) }
                guard let answer else {
                    held.append(connection)
                    continue
                }
                let bytes = Array(answer.utf8)
                _ = unsafe send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
                close(connection)
            }
            for connection in held { _ = read(connection) + "\(close(connection))" }
            return requests.withLock { $0 }
        }
    }

    func end() { close(listener) }

    static func answer(_ status: String, _ body: String = "") -> String {
        "HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
    }

    /// Until as much of a body is there as the head says, or the other end closes.
    private func read(_ connection: Int32) -> String {
        var text = ""
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe recv(connection, &buffer, buffer.count, 0)
            guard count > 0 else { return text }
            text += String(decoding: buffer[..<count], as: UTF8.self)
            let parts = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
            let length = parts[0].split(separator: "\r\n").compactMap { line in
                line.lowercased().hasPrefix("content-length:") ? Int(line.split(separator: " ").last ?? "") : nil
            }.first
            if parts.count == 2, parts[1].utf8.count >= length ?? 0 { return text }
        }
    }
}
