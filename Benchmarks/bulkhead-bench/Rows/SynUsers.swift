// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Real users of a defended listener while forged SYNs come in.
enum SynUsers: Benchmark {
    static let name = "syn-users"
    static let summary = "real users served while forged SYNs come in, IPv4 and IPv6, at the host and behind it"

    private static let port: UInt16 = 8444
    private static let rates: [(name: String, rate: Int?)] = [("20 k/s", 20_000), ("100 k/s", 100_000), ("all", nil)]

    static func run(_ effort: Effort) throws -> [Row] {
        let field = try SynField()
        try addIPv6(field.topology)
        var rows: [Row] = []
        for isWorkload in [false, true] {
            let server = try UserServer(
                namespace: isWorkload ? field.topology.server : field.topology.router, port: port)
            defer { withExtendedLifetime(server) {} }
            for isIPv6 in [false, true] {
                rows += try measure(field, isWorkload: isWorkload, isIPv6: isIPv6, effort)
            }
        }
        return rows
    }

    private static func measure(_ field: SynField, isWorkload: Bool, isIPv6: Bool, _ effort: Effort) throws -> [Row] {
        let net: UInt8 = isWorkload ? 2 : 1
        let target: [UInt8] =
            isIPv6
            ? [0xfd, 0xdb, 0, net] + [UInt8](repeating: 0, count: 11) + [isWorkload ? 2 : 1]
            : [10, 219, net, isWorkload ? 2 : 1]
        try field.defend(isWorkload: isWorkload)
        defer { try? field.undefend(isWorkload: isWorkload) }
        func visit() throws -> (served: Int, failed: Int) {
            try BenchThread.run(in: .named(field.topology.client), cpu: nil) {
                Visitor(target: target, port: port).visit(seconds: effort.isQuick ? 1 : 2)
            }
        }
        var rows: [Row] = []
        for (name, rate) in rates {
            var served = PairedSamples(), failed = Samples()
            for round in 1...effort.rounds {
                let calm = try visit()
                let flood = try SynFlood(topology: field.topology, target: target, port: port, rate: rate)
                Clocks.sleep(nanoseconds: 100_000_000)
                let begin = Clocks.wall, flooded = try visit()
                let seconds = Double(Clocks.wall - begin) / 1e9, sent = flood.stop()
                served.add(ours: Double(calm.served), peer: Double(flooded.served))
                failed.add(Double(flooded.failed))
                report(
                    "  syn-users, \(isWorkload ? "workload" : "host"), IPv\(isIPv6 ? 6 : 4), \(name), round \(round): "
                        + "served calm / flooded \(calm.served) / \(flooded.served), failed \(flooded.failed), "
                        + "\(Int(Double(sent) / (seconds + 0.1))) SYN/s")
            }
            let title = "\(isWorkload ? "workload" : "host"), IPv\(isIPv6 ? 6 : 4), flood \(name)"
            rows += [
                Row(
                    "users served without a flood / with, \(title)", unit: "connections", samples: served,
                    peerName: "with", bound: 1 / 0.97),
                Row("users who failed, best round, \(title)", unit: "connections", ours: failed.least, bound: 0),
            ]
        }
        return rows
    }

    private static func addIPv6(_ topology: Topology) throws {
        let ends = [
            (topology.client, "c0", "fddb:1::2", "fddb:1::1", Topology.routerClientMAC),
            (topology.router, "n0", "fddb:1::1", "fddb:1::2", Topology.clientMAC),
            (topology.router, "n1", "fddb:2::1", "fddb:2::2", Topology.serverMAC),
            (topology.server, "s0", "fddb:2::2", "fddb:2::1", Topology.routerServerMAC),
        ]
        for (namespace, device, own, other, hardware) in ends {
            let inside = ["ip", "netns", "exec", namespace]
            try Command.run(inside + ["sysctl", "-qw", "net.ipv6.conf.\(device).disable_ipv6=0"])
            try Command.run(inside + ["ip", "address", "add", "\(own)/64", "dev", device, "nodad"])
            try Command.run(
                inside + ["ip", "neigh", "replace", other, "lladdr", hardware, "dev", device, "nud", "permanent"])
        }
        try topology.inRouter(["sysctl", "-qw", "net.ipv6.conf.all.forwarding=1"])
        try topology.inRouter(["ip", "route", "add", "fdbb:bad::/64", "via", "fddb:1::2"])
        for (namespace, gateway) in [(topology.client, "fddb:1::1"), (topology.server, "fddb:2::1")] {
            try Command.run(["ip", "-n", namespace, "route", "add", "::/0", "via", gateway])
        }
    }
}

/// Opens one connection after the other, 200 a second, each with a second of patience.
private struct Visitor {
    var target: [UInt8]
    var port: UInt16

    func visit(seconds: UInt64) -> (served: Int, failed: Int) {
        var served = 0, failed = 0
        let begin = Clocks.wall
        while true {
            let next = begin + UInt64(served + failed) * 5_000_000, now = Clocks.wall
            guard now < begin + seconds * 1_000_000_000 else { return (served, failed) }
            if next > now { Clocks.sleep(nanoseconds: next - now) }
            if visitOnce() { served += 1 } else { failed += 1 }
        }
    }

    private func visitOnce() -> Bool {
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
private final class UserServer {
    private let listener: Int32
    private let thread: pthread_t

    init(namespace: String, port: UInt16) throws {
        let listener = try BenchThread.run(in: .named(namespace), cpu: nil) {
            let descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
            var one: Int32 = 1
            unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
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
                    if errno == EINTR || errno == ECONNABORTED { continue }
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
