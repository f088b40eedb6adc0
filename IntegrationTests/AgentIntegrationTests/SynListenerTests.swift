// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Glibc
import TestBed
import Testing

/// Listeners that want more of their SYNs than a queue has: defended, what they want is lost, and no user is.
@Suite(.serialized) struct SynListenerTests {
    private static let server = """
        import socket, sys
        proto, option, value = map(int, sys.argv[1:4])
        s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, proto)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if option: s.setsockopt(socket.IPPROTO_TCP, option, value)
        s.bind(("::", 7071))
        s.listen(64)
        while True:
            c, _ = s.accept()
            c.settimeout(5)
            try:
                if c.recv(1024).startswith(b"GET"): c.sendall(b"page")
            except OSError: pass
            c.close()

        """
    /// MSG_FASTOPEN: the request goes with the SYN where the client has the server's cookie for that.
    private static let client = """
        import socket, struct, sys
        served = 0
        for _ in range(int(sys.argv[2])):
            c = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_STREAM)
            # settimeout would make it one that does not wait, which this flag does not go with.
            for limit in socket.SO_RCVTIMEO, socket.SO_SNDTIMEO:
                c.setsockopt(socket.SOL_SOCKET, limit, struct.pack("ll", 3, 0))
            try:
                c.sendto(b"GET /", 0x20000000, (sys.argv[1], 7071))
                served += c.recv(16) == b"page"
            except OSError as error: print(error, file=sys.stderr)
            c.close()
        print(served)

        """

    /// The protocol of the socket, and the option that it sets to which value.
    enum Kind: String, CaseIterable, Sendable {
        case multipath = "262 0 0"
        case savesSYN = "0 27 1"
        case fastOpen = "0 23 64"
    }

    @Test(arguments: Kind.allCases, [false, true])
    func `users of a listener with wishes of its own are served, with a flood and without`(
        kind: Kind, isIPv6: Bool
    ) async throws {
        try await withTestBed(subnet: 57) { bed in
            let field = try await SynField(bed, "auto")
            try writeFile(bed.path("server.py"), Self.server)
            try writeFile(bed.path("client.py"), Self.client)
            for namespace in [field.workload.namespace, field.host.client] {
                try await namespace.shell("echo 3 > /proc/sys/net/ipv4/tcp_fastopen")
            }
            _ = try await field.start()
            let words = kind.rawValue.split(separator: " ").map(String.init)
            _ = try field.workload.namespace.start(["python3", bed.path("server.py")] + words)
            try await eventually("somebody listens") {
                try await field.workload.namespace.shell("ss -Htln sport = :7071").text.contains("LISTEN")
            }
            let target = isIPv6 ? field.workload.address6 : field.workload.address4
            func served(_ count: Int) async throws -> String {
                let result = try await field.host.client.run(
                    ["python3", bed.path("client.py"), target, "\(count)"], within: .seconds(60))
                return result.output + result.errors
            }
            #expect(try await served(5) == "5\n", "\(target), no flood")
            async let sent = field.flood(target, port: 7071).send(
                from: field.host.client, rate: 20_000, for: .seconds(4))
            try await Task.sleep(for: .milliseconds(300))
            #expect(try await served(20) == "20\n", "\(target) in a flood")
            #expect(try await sent > 10_000)
            let listeners = try #require(try await field.host.control.shieldReport().synDefence?.listeners)
            let listener = try #require(listeners.first { $0.address == target && $0.port == 7071 })
            if kind == .multipath {
                #expect(listener.engagements == 0 && listener.obstacles == ["MPTCP: the kernel's own cookies"])
            } else {
                #expect(listener.engagements > 0, "\(listener)")
            }
        }
    }

    /// The key of a step is another one than that of the step before.
    @Test func `users are served while the time of one key ends and that of the next begins`() async throws {
        try await withTestBed(subnet: 57) { bed in
            let field = try await SynField(bed, "always")
            _ = try await field.start()
            let step: UInt64 = 1 << 36
            var time = timespec()
            unsafe clock_gettime(CLOCK_MONOTONIC, &time)
            let rest = step - (UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)) % step
            if rest > 2_000_000_000 { try await Task.sleep(for: .nanoseconds(Int64(rest - 2_000_000_000))) }
            async let host = field.visit(field.host.hostAddresses[0], flooded: 5000, for: .seconds(5))
            async let workload = field.visit(field.workload.address6, flooded: 5000, for: .seconds(5))
            for (served, sent) in try await [host, workload] {
                #expect(served.failures.isEmpty && served.served > 100, "\(served), flood of \(sent)")
            }
            let report = try #require(try await field.host.control.shieldReport().synDefence)
            #expect(report.accepted > 200 && report.refused == 0 && report.stale == 0, "\(report)")
        }
    }
}
