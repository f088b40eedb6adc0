// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Answers every read with one byte, one connection after the other, on a thread in the server's namespace.
final class EchoServer {
    private let listener: Int32
    private let thread: pthread_t

    init(topology: Topology, port: UInt16) throws {
        let listener = try BenchThread.run(in: .named(topology.server), cpu: nil) {
            try Self.listen(port: port)
        }
        self.listener = listener
        thread = try BenchThread.start {
            _ = try? BenchThread.pinCurrent(to: BenchThread.helperCPU)
            Self.serve(listener)
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        pthread_join(thread, nil)
        close(listener)
    }

    private static func listen(port: UInt16) throws -> Int32 {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard listener >= 0 else { throw BenchError("cannot make a server socket: errno \(errno)") }
        var one: Int32 = 1
        unsafe setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        let bound = unsafe SocketAddress(address: 0, port: port).withPointer { unsafe bind(listener, $0, $1) }
        guard bound == 0, Glibc.listen(listener, 4096) == 0 else {
            let error = errno
            close(listener)
            throw BenchError("cannot listen on TCP port \(port) of the bench server: errno \(error)")
        }
        return listener
    }

    private static func serve(_ listener: Int32) {
        while true {
            let connection = accept(listener, nil, nil)
            guard connection >= 0 else {
                if errno == EINTR || errno == ECONNABORTED { continue }
                return
            }
            var one: Int32 = 1
            unsafe setsockopt(
                connection, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
            var byte: UInt8 = 0
            while unsafe read(connection, &byte, 1) == 1,
                unsafe send(connection, &byte, 1, Int32(MSG_NOSIGNAL)) == 1
            {}
            close(connection)
        }
    }
}

/// An IPv4 socket address.
struct SocketAddress {
    private var value = sockaddr_in()

    init(address: UInt32, port: UInt16) {
        value.sin_family = sa_family_t(AF_INET)
        value.sin_addr.s_addr = address.bigEndian
        value.sin_port = port.bigEndian
    }

    func withPointer<Value>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Value) -> Value {
        unsafe withUnsafePointer(to: value) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
