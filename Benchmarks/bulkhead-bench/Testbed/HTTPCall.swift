// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A request over plain HTTP, from the namespace of the thread that makes it.
struct HTTPCall {
    var address: UInt32 = 0x7f00_0001
    let port: UInt16

    /// Sends it and reads the whole answer; returns its body.
    ///
    /// Throws if there is none, or one that is no success.
    @discardableResult
    func send(_ method: String, _ path: String, _ body: String = "", seconds: Int = 120) throws -> String {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw BenchError("cannot make a socket: errno \(errno)") }
        defer { close(descriptor) }
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        try connect(descriptor)
        let text =
            "\(method) \(path) HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nContent-Type: application/json\r\n"
            + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
        try write(text, to: descriptor)
        let answer = try readAll(descriptor)
        let parts = answer.split(separator: "\r\n\r\n", maxSplits: 1)
        let status = answer.split(separator: " ", maxSplits: 2).dropFirst().first ?? ""
        guard status.hasPrefix("2") else { throw BenchError("\(method) \(path): \(answer.prefix(300))") }
        return parts.count == 2 ? String(parts[1]) : ""
    }

    private func connect(_ descriptor: Int32) throws {
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        name.sin_addr.s_addr = address.bigEndian
        let result = unsafe withUnsafePointer(to: name) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw BenchError("nobody answers at port \(port): errno \(errno)") }
    }

    private func write(_ text: String, to descriptor: Int32) throws {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw BenchError("a request was not taken: errno \(errno)") }
            rest = rest.dropFirst(count)
        }
    }

    private func readAll(_ descriptor: Int32) throws -> String {
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe read(descriptor, &buffer, buffer.count)
            guard count >= 0 else { throw BenchError("an answer broke off: errno \(errno)") }
            if count == 0 { return String(decoding: answer, as: UTF8.self) }
            answer += buffer[..<count]
        }
    }
}
