// SPDX-License-Identifier: Apache-2.0
import CDatapathABI
import Glibc
import KernelDatapath
import KernelTesting
import NetworkModel
import Testing

extension DatapathTests {
    /// `tc_syn_listener`: what becomes of a SYN.
    @Suite struct SynAnswerTests {
        private static let wishes: [ClientOptions] = {
            var wishes = [ClientOptions()]
            for change: (inout ClientOptions) -> Void in [
                { $0.timestamp = nil }, { $0.windowScale = nil }, { $0.hasSACK = false }, { $0.asksECN = true },
                { $0.mss = 9000 }, { $0.mss = 1280 }, { $0.mss = nil }, { $0.windowScale = 15 },
                {
                    $0.timestamp = nil
                    $0.windowScale = nil
                    $0.hasSACK = false
                },
            ] {
                var wish = ClientOptions()
                change(&wish)
                wishes.append(wish)
            }
            return wishes
        }()

        private static func mssIndex(_ family: Family, _ options: ClientOptions) -> UInt32 {
            let sizes: [UInt16] =
                family == .v4
                ? [536, 1220, 1360, 1400, 1440, 1452, 1460, 8960] : [1220, 1340, 1380, 1400, 1420, 1432, 1440, 8940]
            return UInt32((sizes.lastIndex { $0 <= options.mss ?? sizes[0] }) ?? 0)
        }

        /// The SYN-ACK as it should be, from its description; the time of its timestamp is that of the answer.
        private static func expected(
            _ family: Family, _ wish: ClientOptions, cookie: UInt32, timestamp: UInt32, window: UInt16,
            windowScale: UInt8, mss: UInt16
        ) -> [UInt8] {
            var options: [UInt8] = [2, 4] + mss.networkOrder
            if wish.timestamp != nil || wish.hasSACK || wish.windowScale != nil {
                options += wish.hasSACK ? [4, 2] : [1, 1]
                options +=
                    wish.timestamp.map { [8, 10] + timestamp.networkOrder + $0.networkOrder }
                    ?? [UInt8](repeating: 1, count: 10)
                options += wish.windowScale != nil ? [1, 3, 3, windowScale] : [1, 1, 1, 1]
            }
            var header: [UInt8] =
                SynFixture.port.networkOrder + SynFixture.clientPort.networkOrder + cookie.networkOrder
                + (SynFixture.sequence &+ 1).networkOrder
            header +=
                [UInt8((20 + options.count) / 4) << 4, wish.asksECN ? 0x52 : 0x12] + window.networkOrder + [0, 0, 0, 0]
            let packet = Packet.ip(family.own, to: family.world).hopLimit(64)
                .transport(6, header + options, checksum: .withAddresses(16))
            var bytes = packet.toUs().bytes
            // Of the frame that came: the loopback's own address, and the tests' sender.
            bytes.replaceSubrange(0..<12, with: [2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0])
            if family == .v4 {
                // Identification 0, may not be fragmented.
                bytes.replaceSubrange(18..<22, with: [0, 0, 0x40, 0])
                bytes.replaceSubrange(24..<26, with: [0, 0])
                bytes.replaceSubrange(24..<26, with: internetChecksum(Array(bytes[14..<34])).networkOrder)
            }
            return bytes
        }

        @Test(arguments: Family.allCases)
        func `a SYN becomes a SYN-ACK with a cookie, right to the byte`(family: Family) async throws {
            try await SynFixture.run { fixture in
                try fixture.listen()
                try SynFixture.inOneStep { step in
                    for wish in SynAnswerTests.wishes where family == .v4 || wish.mss != nil || wish.hasSACK {
                        let maker = fixture.cookie(family, step: step)
                        let options =
                            UInt32(min(wish.windowScale ?? 15, wish.windowScale == nil ? 15 : 14)) << 5
                            | (wish.hasSACK ? 16 : 0) | (wish.asksECN ? 8 : 0) | SynAnswerTests.mssIndex(family, wish)
                        let before = SynFixture.now()
                        let (verdict, packet) = try fixture.run(.syn(family, wish))
                        #expect(verdict == 7, "redirected back: \(wish)")
                        let l4 = family == .v4 ? 34 : 54
                        let window = UInt16(packet[l4 + 14]) << 8 | UInt16(packet[l4 + 15])
                        #expect(window > 8192 && window <= 32768)
                        var timestamp: UInt32 = 0
                        if wish.timestamp != nil {
                            timestamp = packet[l4 + 28..<l4 + 32].reduce(0) { $0 << 8 | UInt32($1) }
                            let age = timestamp &- maker.timestamp(atNanoseconds: before) &+ 10
                            #expect(age < 2000, "the clock is milliseconds and a secret of the source")
                        }
                        let scale = packet.count > l4 + 39 ? packet[l4 + 39] : 0
                        if wish.windowScale != nil { #expect((1...14).contains(scale)) }
                        let right = SynAnswerTests.expected(
                            family, wish, cookie: maker.value(step: step, options: options), timestamp: timestamp,
                            window: window, windowScale: scale, mss: family == .v4 ? 65495 : 65476)
                        #expect(packet == right, "\(wish)")
                    }
                }
                #expect(try fixture.count(.answered) > 5)
            }
        }

        @Test(arguments: Family.allCases)
        func `what is not for cookies is left to the stack`(family: Family) async throws {
            try await SynFixture.run { fixture in
                try fixture.listen()
                try fixture.expectLeft(.syn(family, port: 9999), "a closed port")
                try fixture.expectLeft(.segment(family, 0x12), "SYN-ACK")
                try fixture.expectLeft(.segment(family, 0x06), "SYN and RST")
                try fixture.expectLeft(.syn(family).vlan(7), "tagged")
                try fixture.expectLeft(
                    .segment(family, 0x02, options: [19, 18] + [UInt8](repeating: 1, count: 18)), "signed (MD5)")
                try fixture.expectLeft(
                    .segment(family, 0x02, options: [29, 16] + [UInt8](repeating: 1, count: 14)), "signed (AO)")
                if family == .v4 {
                    try fixture.expectLeft(.syn(family).options([1, 1, 1, 1]), "IPv4 options")
                } else {
                    try fixture.expectLeft(.syn(family).extensionHeader(0), "extension headers")
                }
                try fixture.expectLeft(.syn(family, ClientOptions(mss: 100)), "a segment size that no stack takes")
                #expect(try fixture.count(.answered) == 0)
                #expect(try fixture.run(.syn(family)).verdict == 7)
            }
        }

        @Test func `options that are broken or endless harm nobody`() async throws {
            try await SynFixture.run { fixture in
                try fixture.listen()
                let texts: [[UInt8]] = [
                    [2, 0, 0, 0], [2, 1, 0, 0], [2, 255, 0, 0], [8, 10, 0, 0], [3, 3, 255, 0], [0, 0, 0, 0],
                    [UInt8](repeating: 1, count: 40), [UInt8](repeating: 2, count: 40),
                    [UInt8](repeating: 4, count: 40), [254, 2, 254, 2, 254, 2, 254, 2],
                ]
                for options in texts {
                    let (verdict, packet) = try fixture.run(.segment(.v4, 0x02, options: options))
                    #expect(verdict == 7, "\(options)")
                    #expect(internetChecksum(Array(packet[14..<34])) == 0)
                }
                // The header says that there are more options than the packet has bytes.
                let long = Packet.segment(.v4, 0x02, options: []).patch(32, [0xf0])
                try fixture.expectLeft(long)
            }
        }

        @Test(arguments: Family.allCases)
        func `payload of a SYN is neither kept nor sent back`(family: Family) async throws {
            try await SynFixture.run { fixture in
                try fixture.listen()
                let (verdict, packet) = try fixture.run(.segment(family, 0x02, payload: 900))
                #expect(verdict == 7)
                #expect(packet.count == (family == .v4 ? 34 : 54) + 40)
            }
        }

        @Test(arguments: Family.allCases)
        func `settings of the listener's namespace are respected`(family: Family) async throws {
            try await SynFixture.run { fixture in
                try fixture.listen()
                let l4 = family == .v4 ? 34 : 54
                func options() throws -> [UInt8] { Array(try fixture.run(.syn(family)).packet[(l4 + 24)...]) }
                #expect(Array(try options()[0..<4]) == [4, 2, 8, 10])
                try shell("sysctl -qw net.ipv4.tcp_window_scaling=0")
                #expect(Array(try options()[12..<16]) == [1, 1, 1, 1])
                try shell("sysctl -qw net.ipv4.tcp_sack=0")
                #expect(Array(try options()[0..<4]) == [1, 1, 8, 10])
                try shell("sysctl -qw net.ipv4.tcp_timestamps=0")
                let bare = try fixture.run(.syn(family)).packet
                #expect(bare.count == l4 + 24, "nothing is left but the segment size")
                try shell("sysctl -qw net.ipv4.tcp_ecn=0")
                #expect(try fixture.run(.syn(family, ClientOptions(asksECN: true))).packet[l4 + 13] == 0x12)
                try shell("sysctl -qw net.ipv4.tcp_syncookies=0")
                try fixture.expectLeft(.syn(family), "no cookie would be taken")
                let listener = try #require(try fixture.tables.listeners().first)
                #expect(listener.obstacles == [.cookiesOff] && !listener.isDefended)
                #expect(listener.address == family.own && listener.port == SynFixture.port)
                try shell("sysctl -qw net.ipv4.tcp_syncookies=1")
                #expect(try fixture.run(.syn(family)).verdict == 7)
                #expect(try fixture.tables.listeners().first?.obstacles == [])
            }
        }

        @Test func `modes of single ports come before the mode of all`() async throws {
            try await SynFixture.run { fixture in
                for port: UInt16 in [80, 81, 82] { try fixture.listen(port: port) }
                fixture.configure { $0.ports = [81: .off] }
                #expect(try fixture.run(.syn(.v4, port: 80)).verdict == 7)
                try fixture.expectLeft(.syn(.v4, port: 81))
                fixture.configure {
                    $0.mode = .auto
                    $0.ports = [82: .always]
                }
                try fixture.expectLeft(.syn(.v4, port: 81), "no load")
                #expect(try fixture.run(.syn(.v4, port: 82)).verdict == 7)
                fixture.configure { $0.mode = .off }
                try fixture.expectLeft(.syn(.v4, port: 80))
                fixture.configure {
                    $0.mode = .off
                    $0.ports = [82: .always]
                }
                #expect(try fixture.run(.syn(.v4, port: 82)).verdict == 7, "one port, and no other")
                for port: UInt16 in [80, 81] { try fixture.expectLeft(.syn(.v4, port: port)) }
            }
        }

        @Test(arguments: Family.allCases)
        func `a listener is defended by order from its first SYN on, and none beside it`(family: Family) async throws {
            try await SynFixture.run { fixture in
                for port: UInt16 in [SynFixture.port, 80] { try fixture.listen(port: port) }
                fixture.configure {
                    $0.mode = .auto
                    $0.hold = .milliseconds(100)
                }
                try fixture.tables.order(family.own, port: SynFixture.port, for: .seconds(60), isAgain: false)
                #expect(try fixture.run(.syn(family)).verdict == 7, "nobody had met it")
                try fixture.expectLeft(.syn(family, port: 80), "another listener of the address")
                let other: Family = family == .v4 ? .v6 : .v4
                try fixture.expectLeft(.syn(other), "another address of the listener")
                try fixture.tables.order(family.own, port: SynFixture.port, for: .zero, isAgain: false)
                _ = poll(nil, 0, 200)
                try fixture.expectLeft(.syn(family), "the order was taken back")
                #expect(try fixture.count(.switchedOn) == 1 && fixture.count(.switchedOff) == 1)
                try fixture.tables.order(family.own, port: 0, for: .seconds(60), isAgain: true)
                for port: UInt16 in [SynFixture.port, 80] {
                    #expect(try fixture.run(.syn(family, port: port)).verdict == 7, "all that are known")
                }
                try fixture.expectLeft(.syn(other))
            }
        }

        /// CPUs read the time one tick apart.
        @Test func `a gate that another CPU touched a tick later stays defended`() async throws {
            try await SynFixture.run { fixture in
                try fixture.listen()
                #expect(try fixture.run(.syn(.v4)).verdict == 7)
                fixture.configure { $0.mode = .auto }
                try fixture.change(.v4) {
                    $0.high = SynFixture.now() + 1_000_000_000
                    $0.count = 0
                }
                #expect(try fixture.run(.syn(.v4)).verdict == 7)
            }
        }

        @Test func `SYNs that do not get to a listener do not switch it on`() async throws {
            try await SynFixture.run { fixture in
                try fixture.listen()
                fixture.configure { $0.mode = .auto }
                // As with a listener whose port is translated to somebody else's: its SYN queue stays empty.
                for _ in 0..<2000 { try fixture.expectLeft(.syn(.v4)) }
                #expect(try fixture.count(.switchedOn) == 0)
            }
        }

        @Test(arguments: Family.allCases)
        func `a listener on any address does not answer for what passes through`(family: Family) async throws {
            try await SynFixture.run { fixture in
                try fixture.listen()
                try shell(
                    """
                    sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
                    ip address del \(family.own) dev lo
                    ip link add syn0 type veth peer name syn1 && ip link set syn0 up && ip link set syn1 up
                    ip route add \(family.own) dev syn0
                    ip neigh add \(family.own) lladdr 02:00:00:00:00:09 dev syn0
                    """)
                try fixture.expectLeft(.syn(family))
                #expect(try fixture.tables.listeners().isEmpty)
                #expect(try fixture.count(.answered) == 0)
            }
        }

        /// The tables are shared by all namespaces.
        @Test(arguments: Family.allCases)
        func `an address that has moved elsewhere is not answered for a second later`(family: Family) async throws {
            try await SynFixture.run { fixture in
                try fixture.listen()
                #expect(try fixture.run(.syn(family)).verdict == 7)
                try shell(
                    """
                    sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
                    ip address del \(family.own) dev lo
                    ip link add syn0 type veth peer name syn1 && ip link set syn0 up && ip link set syn1 up
                    ip route add \(family.own) dev syn0
                    ip neigh add \(family.own) lladdr 02:00:00:00:00:09 dev syn0
                    """)
                _ = poll(nil, 0, 1100)
                try fixture.expectLeft(.syn(family))
                #expect(try fixture.tables.listeners().first?.isDefended == true, "what has it now may go on")
            }
        }

        /// `tc_syn_listener_helper`, for kernels without request sockets.
        @Test(arguments: Family.allCases)
        func `with the stack's cookies only the segment size is left`(family: Family) async throws {
            try await SynFixture.run { fixture in
                try fixture.listen()
                let l4 = family == .v4 ? 34 : 54
                #expect(
                    try fixture.run(.syn(family), withHelper: true).verdict == UInt32(bitPattern: -1),
                    "the stack makes none before its SYN queue is full")
                try shell("sysctl -qw net.ipv4.tcp_syncookies=2")
                let (verdict, packet) = try fixture.run(.syn(family), withHelper: true)
                #expect(verdict == 7 && packet.count == l4 + 24)
                let acknowledged = packet[l4 + 8..<l4 + 12].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
                #expect(acknowledged == SynFixture.sequence &+ 1)
                #expect(packet[l4 + 12] == 0x60 && packet[l4 + 13] == 0x12)
                if family == .v4 {
                    let pseudo = family.own.headerBytes + family.world.headerBytes + [0, 6, 0, 24]
                    #expect(internetChecksum(pseudo + packet[l4...]) == 0)
                }
            }
        }

        @Test func `listeners of MPTCP keep the kernel's own cookies`() async throws {
            try await SynFixture.run { fixture in
                let multipath: Int32 = 262
                guard try fixture.listen(proto: multipath) else { return }
                try fixture.expectLeft(.syn(.v4))
                #expect(try fixture.tables.listeners().first?.obstacles == [.mptcp])
            }
        }
    }
}
