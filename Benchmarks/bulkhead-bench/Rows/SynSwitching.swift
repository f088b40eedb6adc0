// SPDX-License-Identifier: Apache-2.0

import Glibc
import KernelDatapath

/// What becomes of connections when the defence of a listener goes on, and off again.
struct SynSwitching {
    private let field: SynField
    private let isWorkload: Bool
    private let effort: Effort
    private let place: String

    private static let listenerCount: UInt16 = 60
    private static let port: UInt16 = 8445

    init(_ field: SynField, isWorkload: Bool, _ effort: Effort) {
        self.field = field
        self.isWorkload = isWorkload
        self.effort = effort
        place = isWorkload ? "workload" : "host"
    }

    func measure() throws -> [Row] {
        var rows: [Row] = []
        for isIPv6 in [false, true] {
            let target = SynField.target(isWorkload: isWorkload, isIPv6: isIPv6)
            let title = "\(place), IPv\(isIPv6 ? 6 : 4)"
            rows += [
                Row(
                    "first connections of \(SynSwitching.listenerCount) listeners that failed, \(title)",
                    unit: "connections", ours: Double(try firstFailures(target)), bound: 0),
                Row(
                    "connections that failed while switching, \(title)", unit: "connections",
                    ours: Double(try switchingFailures(target, title)), bound: 0),
            ]
        }
        return rows
    }

    private func server(_ port: UInt16) throws -> UserServer {
        try UserServer(namespace: isWorkload ? field.topology.server : field.topology.router, port: port)
    }

    /// Each listener is new, and its first SYN of all is answered with a cookie.
    private func firstFailures(_ target: [UInt8]) throws -> Int {
        var always = SynSettings()
        always.mode = .always
        try field.defend(isWorkload: isWorkload, always)
        defer { try? field.undefend(isWorkload: isWorkload) }
        var failed = 0
        for port in 9100..<(9100 + SynSwitching.listenerCount) {
            let server = try server(port)
            let isServed = try BenchThread.run(in: .named(field.topology.client), cpu: nil) {
                Visitor(target: target, port: port).visitOnce()
            }
            withExtendedLifetime(server) {}
            guard try field.engagements(target, port: port) > 0 else {
                throw BenchError("port \(port) was not defended")
            }
            failed += isServed ? 0 : 1
        }
        return failed
    }

    /// Floods of 400 ms come and go; the defence goes after 300 ms without.
    private func switchingFailures(_ target: [UInt8], _ title: String) throws -> Int {
        var settings = SynField.byLoad
        settings.hold = .milliseconds(300)
        try field.defend(isWorkload: isWorkload, settings)
        defer { try? field.undefend(isWorkload: isWorkload) }
        let port = SynSwitching.port, server = try server(port)
        defer { withExtendedLifetime(server) {} }
        let floods = effort.isQuick ? 3 : 6
        let before = try field.engagements(target, port: port)
        let (topology, box) = (field.topology, ErrorBox())
        let thread = try BenchThread.start {
            do {
                for _ in 0..<floods {
                    let flood = try SynFlood(topology: topology, target: target, port: port, rate: 20_000)
                    Clocks.sleep(nanoseconds: 400_000_000)
                    _ = flood.stop()
                    Clocks.sleep(nanoseconds: 900_000_000)
                }
            } catch {
                box.error = error
            }
        }
        let count = try BenchThread.run(in: .named(field.topology.client), cpu: nil) {
            Visitor(target: target, port: port).visit(seconds: UInt64(floods) * 13 / 10)
        }
        pthread_join(thread, nil)
        if let error = box.error { throw error }
        let engagements = try field.engagements(target, port: port) - before
        guard engagements > 0 else { throw BenchError("the defence of \(title) never went on") }
        report(
            "  syn-users, switching, \(title): on \(engagements) times, served \(count.served), failed \(count.failed)")
        return count.failed
    }

    private final class ErrorBox {
        var error: (any Error)?
    }
}
