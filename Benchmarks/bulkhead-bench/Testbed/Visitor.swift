// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Opens one connection after the other, 200 a second, each with a second of patience.
struct Visitor {
    var target: [UInt8]
    var port: UInt16

    struct Count {
        var served = 0
        var failed = 0
    }

    func visit(seconds: UInt64) -> Count {
        var count = Count()
        let begin = Clocks.wall
        while true {
            let next = begin + UInt64(count.served + count.failed) * 5_000_000, now = Clocks.wall
            guard now < begin + seconds * 1_000_000_000 else { return count }
            if next > now { Clocks.sleep(nanoseconds: next - now) }
            if visitOnce() { count.served += 1 } else { count.failed += 1 }
        }
    }

    func visitOnce() -> Bool {
        let isIPv6 = target.count == 16
        let descriptor = socket(isIPv6 ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue) | 0o4000, 0)
        defer { close(descriptor) }
        var name = [UInt8](repeating: 0, count: isIPv6 ? 28 : 16)
        name[0] = UInt8(isIPv6 ? AF_INET6 : AF_INET)
        (name[2], name[3]) = (UInt8(port >> 8), UInt8(port & 255))
        name.replaceSubrange((isIPv6 ? 8 : 4)..<(isIPv6 ? 24 : 8), with: target)
        let started = unsafe name.withUnsafeBytes { bytes in
            unsafe bytes.withMemoryRebound(to: sockaddr.self) { pointer in
                unsafe pointer.baseAddress.map { unsafe connect(descriptor, $0, socklen_t(bytes.count)) } ?? -1
            }
        }
        guard started == 0 || errno == EINPROGRESS, wait(descriptor, POLLOUT) else { return false }
        var byte: UInt8 = 1
        guard unsafe send(descriptor, &byte, 1, Int32(MSG_NOSIGNAL)) == 1, wait(descriptor, POLLIN) else {
            return false
        }
        return unsafe recv(descriptor, &byte, 1, 0) == 1
    }

    private func wait(_ descriptor: Int32, _ events: Int32) -> Bool {
        var waiting = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        return unsafe poll(&waiting, 1, 1000) == 1
    }
}

/// Reads a byte of each connection, sends one, and closes.
final class UserServer {
    private let listener: Int32
    private let thread: pthread_t

    init(namespace: String, port: UInt16) throws {
        let listener = try BenchThread.run(in: .named(namespace), cpu: nil) {
            let descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
            var one: Int32 = 1
            unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
            // Connections have it from their listener: who says nothing, as what a proxy leaves behind, keeps nobody waiting.
            var patience = timeval(tv_sec: 0, tv_usec: 200_000)
            unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
            var name = [UInt8](repeating: 0, count: 28)
            name[0] = UInt8(AF_INET6)
            (name[2], name[3]) = (UInt8(port >> 8), UInt8(port & 255))
            let bound = unsafe name.withUnsafeBytes { bytes in
                unsafe bytes.withMemoryRebound(to: sockaddr.self) { pointer in
                    unsafe pointer.baseAddress.map { unsafe bind(descriptor, $0, 28) } ?? -1
                }
            }
            guard bound == 0, listen(descriptor, 1024) == 0 else {
                throw BenchError("cannot listen on port \(port): errno \(errno)")
            }
            return descriptor
        }
        self.listener = listener
        thread = try BenchThread.start {
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else {
                    if [EINTR, ECONNABORTED, EAGAIN].contains(errno) { continue }
                    return
                }
                var byte: UInt8 = 0
                if unsafe read(connection, &byte, 1) == 1 {
                    _ = unsafe send(connection, &byte, 1, Int32(MSG_NOSIGNAL))
                }
                close(connection)
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        pthread_join(thread, nil)
        close(listener)
    }
}
