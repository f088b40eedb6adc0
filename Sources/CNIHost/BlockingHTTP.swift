// SPDX-License-Identifier: Apache-2.0

import CNIPlugin
import Glibc
import LinuxHost

/// One HTTP/1.1 request over a Unix socket, on the calling thread, for a program that lives for milliseconds.
struct BlockingHTTP {
    /// Nobody answered, or not in time.
    struct Failure: Error, Hashable, Sendable {
        let reason: String
        /// Somebody was there and hung up without a word: a server that restarts, or is full.
        let isHungUp: Bool
    }

    /// An answer longer than this is none.
    private static let answerBytesMax = 16 << 20

    let socketPath: String
    /// CLOCK_MONOTONIC, in nanoseconds.
    let deadline: UInt64

    /// `target`: percent-encoded.
    func send(_ method: String, _ target: String, body: [UInt8]) throws(Failure) -> AgentAnswer {
        let descriptor = OwnedDescriptor(
            adopting: socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0))
        guard descriptor.rawValue >= 0 else { throw failure("no socket: \(errnoText(errno))") }
        try connect(descriptor)
        let head =
            "\(method) \(target) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            + "Content-Type: application/json\r\nContent-Length: \(body.count)\r\n\r\n"
        try write(Array(head.utf8) + body, to: descriptor)
        return try Self.parse(try read(descriptor), socketPath)
    }

    private func failure(_ text: String, isHungUp: Bool = false) -> Failure {
        Failure(reason: "\(socketPath): \(text)", isHungUp: isHungUp)
    }

    private func connect(_ descriptor: borrowing OwnedDescriptor) throws(Failure) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let path = Array(socketPath.utf8)
        guard path.count < MemoryLayout.size(ofValue: address.sun_path) else { throw failure("too long for a socket") }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { target in unsafe target.copyBytes(from: path) }
        try limit(descriptor)
        let status = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { target in
                unsafe Glibc.connect(descriptor.rawValue, target, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard status == 0 else { throw failure(errnoText(errno)) }
    }

    /// No call blocks beyond the deadline.
    private func limit(_ descriptor: borrowing OwnedDescriptor) throws(Failure) {
        let now = HostClock.monotonicNanoseconds()
        guard now < deadline else { throw failure("no answer in time") }
        let left = max((deadline - now) / 1000, 1000)
        var time = timeval(tv_sec: Int(left / 1_000_000), tv_usec: Int(left % 1_000_000))
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            unsafe setsockopt(
                descriptor.rawValue, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
        }
    }

    private func write(_ bytes: [UInt8], to descriptor: borrowing OwnedDescriptor) throws(Failure) {
        var written = 0
        while written < bytes.count {
            try limit(descriptor)
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.send(
                    descriptor.rawValue, buffer.baseAddress?.advanced(by: written), bytes.count - written,
                    Int32(MSG_NOSIGNAL))
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                throw failure(errnoText(errno), isHungUp: errno == EPIPE || errno == ECONNRESET)
            }
            written += count
        }
    }

    private func read(_ descriptor: borrowing OwnedDescriptor) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            try limit(descriptor)
            let count = unsafe recv(descriptor.rawValue, &chunk, chunk.count, 0)
            if count < 0 {
                switch errno {
                case EINTR: continue
                case EAGAIN: throw failure("no answer in time")
                case ECONNRESET: throw failure("it hung up", isHungUp: true)
                default: throw failure(errnoText(errno))
                }
            }
            if count == 0 { break }
            bytes += chunk[..<count]
            guard bytes.count <= Self.answerBytesMax else { throw failure("the answer is too long") }
        }
        guard !bytes.isEmpty else { throw failure("it hung up", isHungUp: true) }
        return bytes
    }

    /// The answer's end is the connection's; its length tells whether it is whole.
    static func parse(_ bytes: [UInt8], _ socketPath: String) throws(Failure) -> AgentAnswer {
        let broken = Failure(reason: "\(socketPath): the answer is not whole", isHungUp: true)
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { throw broken }
        let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
        let words = lines.first?.split(separator: " ") ?? []
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else {
            throw Failure(reason: "\(socketPath): what answers is no agent", isHungUp: false)
        }
        let body = Array(bytes[end.upperBound...])
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0].lowercased() == "content-length" else { continue }
            guard Int(parts[1].drop { $0 == " " }) == body.count else { throw broken }
        }
        return AgentAnswer(status: status, body: (try? JSONValue(json: body))?.object ?? JSONObject())
    }
}
