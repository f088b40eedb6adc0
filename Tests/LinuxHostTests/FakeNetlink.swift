// SPDX-License-Identifier: Apache-2.0

@testable import LinuxHost

/// Plays the kernel: expects the requests it was told of, in order, and answers each with its datagrams.
final class FakeNetlink: NetlinkTransport {
    private var exchanges: [(request: String, answers: [String])]
    private var pending: [[UInt8]] = []

    /// - Parameter exchanges: hex text; what follows `#` on a line is a comment.
    init(_ exchanges: [(request: String, answers: [String])]) { self.exchanges = exchanges }

    func send(_ datagram: [UInt8]) throws(HostError) {
        guard !exchanges.isEmpty else { throw HostError("expect another request", code: 71) }
        let next = exchanges.removeFirst()
        guard datagram == bytes(next.request) else {
            throw HostError("accept request \(datagram) instead of \(bytes(next.request))", code: 71)
        }
        pending += next.answers.map(bytes)
    }

    func receive() throws(HostError) -> [UInt8] {
        guard !pending.isEmpty else { throw HostError("answer any more", code: 71) }
        return pending.removeFirst()
    }
}

/// The bytes of annotated hex text.
func bytes(_ text: String) -> [UInt8] {
    text.split(separator: "\n").flatMap { line in
        line.prefix { $0 != "#" }.split(separator: " ").compactMap { UInt8($0, radix: 16) }
    }
}
