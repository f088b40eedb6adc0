// SPDX-License-Identifier: Apache-2.0

import BPFRuntime
import Glibc
import KernelPrograms
import LinuxHost
import TestBed

/// Forged SYNs: sources of 198.18.0.0/15 or fdbb:bad::/64 that nobody has, sent as frames.
struct SynFlood: Sendable {
    /// In network order, 4 or 16 bytes.
    var target: [UInt8]
    var port: UInt16
    /// Of the router or host that gets the frames.
    var hardwareAddress: [UInt8]
    /// Of the device they leave by.
    var interface: String

    /// Sends for so long; as fast as one thread can without a rate.
    ///
    /// On a thread of its own inside the namespace. Returns how many went out.
    func send(from namespace: TestNamespace, rate: Int?, for duration: Duration) async throws -> Int {
        let thread = try NamespaceThread()
        return try await thread.run(in: namespace.reference) { try sendHere(rate: rate, for: duration) }
    }

    private func sendHere(rate: Int?, for duration: Duration) throws -> Int {
        let packetFamily: Int32 = 17  // AF_PACKET
        let descriptor = socket(packetFamily, Int32(SOCK_RAW.rawValue), 0)
        guard descriptor >= 0 else { throw TestBedError("no packet socket: errno \(errno)") }
        defer { close(descriptor) }
        // struct sockaddr_ll: family, protocol, index; the rest is for receivers.
        var address = [UInt8](repeating: 0, count: 20)
        address[0] = UInt8(packetFamily)
        let index = unsafe if_nametoindex(interface)
        for byte in 0..<4 { address[4 + byte] = UInt8(truncatingIfNeeded: index >> UInt32(8 * byte)) }
        let bound = unsafe address.withUnsafeBytes { bytes in
            unsafe bytes.withMemoryRebound(to: sockaddr.self) { pointer in
                unsafe pointer.baseAddress.map { unsafe bind(descriptor, $0, 20) } ?? -1
            }
        }
        guard bound == 0 else { throw TestBedError("cannot send on \(interface): errno \(errno)") }
        var generator = SystemRandomNumberGenerator()
        var sent = 0
        let clock = ContinuousClock(), begin = clock.now
        while true {
            let elapsed = clock.now - begin
            guard elapsed < duration else { return sent }
            let due = rate.map { Int(Double($0) * (elapsed / .seconds(1))) - sent } ?? 64
            guard due > 0 else {
                _ = poll(nil, 0, 2)
                continue
            }
            for _ in 0..<min(due, 512) {
                let frame = frame(random: generator.next())
                let count = unsafe frame.withUnsafeBytes { unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, 0) }
                if count == frame.count { sent += 1 }
            }
        }
    }

    /// One SYN with the options of a usual client.
    private func frame(random: UInt64) -> [UInt8] {
        let isIPv6 = target.count == 16
        let source: [UInt8] =
            isIPv6
            ? [0xfd, 0xbb, 0x0b, 0xad, 0, 0, 0, 0] + random.bigEndianBytes
            : [
                198, 18 + UInt8(random & 1), UInt8(truncatingIfNeeded: random >> 8),
                UInt8(truncatingIfNeeded: random >> 16),
            ]
        let sourcePort = UInt16(truncatingIfNeeded: random >> 24) | 1024
        var tcp =
            sourcePort.bigEndianBytes + port.bigEndianBytes + UInt32(truncatingIfNeeded: random >> 32).bigEndianBytes
        tcp += [0, 0, 0, 0, 0xa0, 0x02, 0xfa, 0xf0, 0, 0, 0, 0]
        tcp += [2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7]
        let pseudo = source + target + [0, 6] + UInt16(tcp.count).bigEndianBytes
        tcp.replaceSubrange(16..<18, with: checksum(pseudo + tcp).bigEndianBytes)
        let link: [UInt8] = hardwareAddress + [2, 0, 0, 0, 0xf1, 0x0d] + (isIPv6 ? [0x86, 0xdd] : [0x08, 0])
        if isIPv6 {
            let header: [UInt8] = [0x60, 0, 0, 0] + UInt16(tcp.count).bigEndianBytes + [6, 64]
            return link + header + source + target + tcp
        }
        var header: [UInt8] = [0x45, 0] + UInt16(20 + tcp.count).bigEndianBytes + [0, 1, 0x40, 0, 64, 6, 0, 0]
        header += source + target
        header.replaceSubrange(10..<12, with: checksum(header).bigEndianBytes)
        return link + header + tcp
    }
}

private func checksum(_ bytes: [UInt8]) -> UInt16 {
    var sum: UInt32 = 0
    for index in stride(from: 0, to: bytes.count - 1, by: 2) {
        sum += UInt32(bytes[index]) << 8 | UInt32(bytes[index + 1])
    }
    if bytes.count % 2 == 1 { sum += UInt32(bytes[bytes.count - 1]) << 8 }
    while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
    return ~UInt16(truncatingIfNeeded: sum)
}

extension FixedWidthInteger {
    fileprivate var bigEndianBytes: [UInt8] {
        (0..<Self.bitWidth / 8).reversed().map { UInt8(truncatingIfNeeded: self >> (8 * $0)) }
    }
}

/// What became of connections that were tried one after the other.
struct Served: Sendable, CustomStringConvertible {
    var served = 0
    var failures: [String] = []
    /// Since the first was tried.
    var failedAfter: [Duration] = []

    var description: String {
        "\(served) served, \(failures.count) failures \(failures.prefix(5)) after \(failedAfter.prefix(5))"
    }
}

/// Real users: each connects, asks for a page, and waits for the beginning of it.
struct WebUsers: Sendable {
    /// As text.
    var address: String
    var port: UInt16
    /// The client's port; 0: any.
    var localPort: UInt16 = 0

    /// Tries one every `pause` for so long; each has `patience`.
    func visit(
        from namespace: TestNamespace, for duration: Duration, pause: Duration = .milliseconds(10),
        patience: Duration = .seconds(3), countMax: Int = .max
    ) async throws -> Served {
        let thread = try NamespaceThread()
        return try await thread.run(in: namespace.reference) {
            var result = Served()
            let clock = ContinuousClock(), begin = clock.now, end = begin + duration
            while clock.now < end, result.served + result.failures.count < countMax {
                let next = clock.now + pause
                if let failure = visitOnce(within: patience) {
                    result.failures.append(failure)
                    result.failedAfter.append(clock.now - begin)
                } else {
                    result.served += 1
                }
                let rest = next - clock.now
                if rest > .zero { _ = poll(nil, 0, Int32(rest / .milliseconds(1))) }
            }
            return result
        }
    }

    /// Nil, or why not.
    private func visitOnce(within patience: Duration) -> String? {
        let isIPv6 = address.contains(":")
        let descriptor = socket(isIPv6 ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue) | 0o4000, 0)
        guard descriptor >= 0 else { return "socket: errno \(errno)" }
        defer { close(descriptor) }
        guard localPort == 0 || bindLocalPort(descriptor, isIPv6) else { return "bind: errno \(errno)" }
        let started = isIPv6 ? connect6(descriptor) : connect4(descriptor)
        guard started == 0 || errno == EINPROGRESS else { return "connect: errno \(errno)" }
        let limit = Int32(patience / .milliseconds(1))
        guard wait(descriptor, Int16(POLLOUT), limit) else { return "connect: no answer" }
        var status: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        _ = unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &status, &size)
        guard status == 0 else { return "connect: error \(status)" }
        let request = Array("GET / HTTP/1.0\r\n\r\n".utf8)
        guard unsafe send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
            return "send: errno \(errno)"
        }
        guard wait(descriptor, Int16(POLLIN), limit) else { return "no page" }
        var page = [UInt8](repeating: 0, count: 2048)
        let count = unsafe recv(descriptor, &page, page.count, 0)
        return count > 0 ? nil : "no page: \(count), errno \(errno)"
    }

    private func wait(_ descriptor: Int32, _ events: Int16, _ milliseconds: Int32) -> Bool {
        var waiting = pollfd(fd: descriptor, events: events, revents: 0)
        return unsafe poll(&waiting, 1, milliseconds) == 1
    }

    private func bindLocalPort(_ descriptor: Int32, _ isIPv6: Bool) -> Bool {
        var one: Int32 = 1
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        // Family and port have the same places in both families' names; the rest is zero: any address.
        var name = sockaddr_in6()
        name.sin6_family = sa_family_t(isIPv6 ? AF_INET6 : AF_INET)
        name.sin6_port = localPort.bigEndian
        let size = isIPv6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size
        return unsafe withUnsafeBytes(of: &name) { bytes in
            unsafe bytes.withMemoryRebound(to: sockaddr.self) { pointer in
                unsafe pointer.baseAddress.map { unsafe bind(descriptor, $0, socklen_t(size)) } == 0
            }
        }
    }

    private func connect4(_ descriptor: Int32) -> Int32 {
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        unsafe inet_pton(AF_INET, address, &name.sin_addr)
        return unsafe withUnsafeBytes(of: &name) { bytes in
            unsafe bytes.withMemoryRebound(to: sockaddr.self) { pointer in
                unsafe pointer.baseAddress.map { unsafe connect(descriptor, $0, socklen_t(bytes.count)) } ?? -1
            }
        }
    }

    private func connect6(_ descriptor: Int32) -> Int32 {
        var name = sockaddr_in6()
        name.sin6_family = sa_family_t(AF_INET6)
        name.sin6_port = port.bigEndian
        unsafe inet_pton(AF_INET6, address, &name.sin6_addr)
        return unsafe withUnsafeBytes(of: &name) { bytes in
            unsafe bytes.withMemoryRebound(to: sockaddr.self) { pointer in
                unsafe pointer.baseAddress.map { unsafe connect(descriptor, $0, socklen_t(bytes.count)) } ?? -1
            }
        }
    }
}

/// XDP that passes everything, on `eth0` of a namespace: what XDP at the other end of a veth sends back is lost without.
final class PollingEnd: Sendable {
    /// A value that cannot be copied, handed from one thread to another.
    private final class Box: Sendable {
        let link: FrameLink

        init(_ link: consuming FrameLink) { self.link = link }
    }

    private let box: Box

    init(of namespace: TestNamespace) async throws {
        let thread = try NamespaceThread()
        box = try await thread.run(in: namespace.reference) {
            let object = try BPFObject(.syn_defence)
            try object.omitUnsupportedPrograms()
            try object.load()
            // Without settings it answers nothing.
            let program = try object.program("xdp_syn_front")
            return Box(try FrameLink(attaching: program, to: unsafe if_nametoindex("eth0"), mode: .native))
        }
    }
}
