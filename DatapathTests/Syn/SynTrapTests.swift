// SPDX-License-Identifier: Apache-2.0
import CDatapathABI
import Glibc
import KernelDatapath
import KernelTesting
import NetworkModel
import Testing

extension DatapathTests {
    /// What goes wrong with cookies where one does not look: things that only the programs can show.
    @Suite struct SynTrapTests {
        /// What is promised in the SYN-ACK is what the stack counts with afterwards: it does not see that SYN-ACK.
        @Test(arguments: Family.allCases)
        func `the window scale that is offered is the one that the stack would choose`(family: Family) async throws {
            try await SynFixture.run { fixture in
                try fixture.listen()
                let at = (family == .v4 ? 34 : 54) + 39
                for (buffer, limit, scale) in [
                    (6_291_456, 212_992, 7), (33_554_432, 212_992, 10), (65_536, 212_992, 2), (65_536, 1 << 30, 14),
                    (Int(Int32.max), 212_992, 14), (65_536, 32_768, 1), (32_768, 32_768, 0),
                ] {
                    try shell("sysctl -qw net.ipv4.tcp_rmem='4096 16384 \(buffer)'")
                    fixture.configure { $0.receiveBufferMax = UInt32(limit) }
                    #expect(try fixture.run(.syn(family)).packet[at] == UInt8(scale), "\(buffer), \(limit)")
                }
            }
        }

        /// It answers itself: with a challenge, or by making room for the new connection.
        @Test(arguments: Family.allCases)
        func `the SYN of a connection that stands, or waits to end, is its socket's`(family: Family) async throws {
            try await SynFixture.run { fixture in
                try fixture.listen()
                try shell("ip address add \(family.world)/\(family == .v4 ? 32 : 128) dev lo nodad 2>&1 || true")
                #expect(try fixture.run(.syn(family)).verdict == 7)
                let client = try connected(family)
                try fixture.expectLeft(.syn(family), "established")
                close(client)
                _ = poll(nil, 0, 50)
                try fixture.expectLeft(.syn(family), "the server has yet to close")
                #expect(try fixture.count(.answered) == 1)
            }
        }

        /// A front that did not see the last connection end has answered the SYN.
        @Test(arguments: Family.allCases, [0, 1])
        func `a cookie for a port whose last connection waits to end makes that socket go, and comes in again`(
            family: Family, isKept: Int
        ) async throws {
            try await SynFixture.run { fixture in
                try fixture.listen()
                try shell(
                    """
                    sysctl -qw net.ipv4.tcp_rfc1337=\(isKept) net.ipv4.conf.all.accept_local=1
                    ip address add \(family.world)/\(family == .v4 ? 32 : 128) dev lo nodad 2>&1 || true
                    """)
                let client = try connected(family)
                close(try fixture.accept())
                close(client)
                try shell("ss -Htan state time-wait | grep -q ':\(SynFixture.port) '")
                fixture.arm()
                try SynFixture.inOneStep { step in
                    let cookie = fixture.cookie(family, step: step).value(step: step, options: 7 << 5 | 16 | 6)
                    let ack = Packet.answer(family, cookie: cookie)
                    let again = try fixture.run(ack)
                    #expect(again.verdict == 7, "sent in once more")
                    #expect(again.packet == ack.toUs().bytes, "as it was")
                    #expect(try fixture.validCount() == 0)
                    _ = poll(nil, 0, 20)
                    try shell("test $(ss -Htan state time-wait | grep -c ':\(SynFixture.port) ') = \(isKept)")
                    guard isKept == 0 else { return }
                    try fixture.expectLeft(ack)
                    #expect(try fixture.validCount() == 1)
                }
            }
        }

        /// From the port and the address of the tests' client.
        private func connected(_ family: Family) throws -> Int32 {
            let descriptor = socket(family == .v4 ? AF_INET : AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
            let bound = unsafe named(family, family.world, SynFixture.clientPort) { unsafe bind(descriptor, $0, $1) }
            try #require(bound == 0)
            let joined = unsafe named(family, family.own, SynFixture.port) { unsafe connect(descriptor, $0, $1) }
            try #require(joined == 0)
            return descriptor
        }

        private func named(
            _ family: Family, _ address: IPAddress, _ port: UInt16,
            _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
        ) -> Int32 {
            var name: [UInt8] = [UInt8(family == .v4 ? AF_INET : AF_INET6), 0] + port.networkOrder
            if family == .v6 { name += [0, 0, 0, 0] }
            name += address.headerBytes
            name += [UInt8](repeating: 0, count: (family == .v4 ? 16 : 28) - name.count)
            return unsafe name.withUnsafeBytes { bytes in
                unsafe bytes.withMemoryRebound(to: sockaddr.self) { pointer in
                    unsafe pointer.baseAddress.map { unsafe body($0, socklen_t(bytes.count)) } ?? -1
                }
            }
        }

        /// The agent's part of time, once in each step; the kernel's own clock cannot be set ahead.
        @Test func `each step has a key that no step before had, and what is valid keeps its own`() async throws {
            try await SynFixture.run { fixture in
                let first = SynTables.step()
                var keys: [[UInt64]] = []
                for step in first..<first + 12 {
                    let valid = [step, step - 1].map { fixture.tables.key(of: $0) }
                    fixture.tables.rotateKeys(in: step)
                    #expect([step, step - 1].map { fixture.tables.key(of: $0) } == valid)
                    keys.append(valid[0])
                }
                #expect(Set(keys).count == keys.count)
            }
        }

        /// An armed defence looks at each ACK: those that only look like one of its cookies cost it nothing more.
        @Test(arguments: Family.allCases)
        func `a clock and a cookie of the same source have nothing in common`(family: Family) async throws {
            try await SynFixture.run { fixture in
                try fixture.listen()
                fixture.arm()
                try SynFixture.inOneStep { step in
                    let maker = fixture.cookie(family, step: step)
                    let clock = maker.timestamp(atNanoseconds: 0)
                    // The hash of the clock, put where that of a cookie belongs.
                    let guess = clock << 10 | UInt32(step & 1) << 9 | 7 << 5 | 6
                    try fixture.expectLeft(.answer(family, cookie: guess))
                    #expect(try fixture.validCount() == 0)
                }
            }
        }
    }
}
