// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A client that waits for each answer before it asks again; results in microseconds.
///
/// Compare medians and minima only: a closed loop's rate is 1 / median, and its far tail is the machine's neighbours.
struct LatencyProbe {
    let topology: Topology
    let port: UInt16

    /// One connection, one byte out and one back, `count` times.
    func roundTrips(_ count: Int) throws -> Samples {
        try inClient {
            let connection = try Self.connected(port: port)
            defer { close(connection) }
            var samples = Samples()
            for _ in 0..<count {
                let begin = Clocks.wall
                try Self.exchange(connection)
                samples.add(Double(Clocks.wall - begin) / 1000)
            }
            return samples
        }
    }

    /// Connect, one byte out and one back, close by RST (no TIME_WAIT), `count` times.
    func connections(_ count: Int) throws -> Samples {
        try inClient {
            var samples = Samples()
            for _ in 0..<count {
                let begin = Clocks.wall
                let connection = try Self.connected(port: port)
                defer { close(connection) }
                try Self.exchange(connection)
                samples.add(Double(Clocks.wall - begin) / 1000)
            }
            return samples
        }
    }

    private func inClient(_ body: @escaping () throws -> Samples) throws -> Samples {
        try BenchThread.run(in: .named(topology.client), cpu: BenchThread.helperCPU, body)
    }

    private static func connected(port: UInt16) throws -> Int32 {
        let connection = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard connection >= 0 else { throw BenchError("cannot make a client socket: errno \(errno)") }
        var one: Int32 = 1
        unsafe setsockopt(connection, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        var reset = linger(l_onoff: 1, l_linger: 0)
        unsafe setsockopt(connection, SOL_SOCKET, SO_LINGER, &reset, socklen_t(MemoryLayout<linger>.size))
        var patience = timeval(tv_sec: 2, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            unsafe setsockopt(connection, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size))
        }
        let server = SocketAddress(address: 0x0adb_0202, port: port)
        guard unsafe server.withPointer({ unsafe connect(connection, $0, $1) }) == 0 else {
            let error = errno
            close(connection)
            throw BenchError(
                "cannot connect to the bench server: errno \(error); the rule set under test cuts the probe")
        }
        return connection
    }

    private static func exchange(_ connection: Int32) throws {
        var byte: UInt8 = 0x78
        guard unsafe send(connection, &byte, 1, Int32(MSG_NOSIGNAL)) == 1, unsafe read(connection, &byte, 1) == 1 else {
            throw BenchError("a probe got no answer: errno \(errno)")
        }
    }
}
