// SPDX-License-Identifier: Apache-2.0
import CDatapathABI
import KernelDatapath
import NetworkModel
import Testing

extension DatapathTests {
    /// `tc_syn_listener`: what becomes of the ACK that brings a cookie.
    @Suite struct SynCookieTests {
        private static let options: UInt32 = 7 << 5 | 1 << 4 | 6

        private static func prepared(_ body: @escaping @Sendable (SynFixture, UInt64) throws -> Void) async throws {
            try await SynFixture.run { fixture in
                try fixture.listen()
                fixture.arm()
                try SynFixture.inOneStep { step in try body(fixture, step) }
            }
        }

        @Test(arguments: Family.allCases)
        func `a cookie of this step and of the one before is valid, an older one is not`(family: Family) async throws {
            try await SynCookieTests.prepared { fixture, step in
                for (age, isValid) in [(0, true), (1, true), (2, false), (3, false), (4, false), (8, false)] {
                    let made = step - UInt64(age), before = try fixture.validCount()
                    let cookie = fixture.cookie(family, step: made).value(step: made, options: SynCookieTests.options)
                    try fixture.expectLeft(.answer(family, cookie: cookie), "whatever it is, the stack has the packet")
                    #expect(try fixture.validCount() - before == (isValid ? 1 : 0), "\(age) steps old")
                }
            }
        }

        @Test(arguments: Family.allCases)
        func `a cookie with any other bit is forged`(family: Family) async throws {
            try await SynCookieTests.prepared { fixture, step in
                let cookie = fixture.cookie(family, step: step).value(step: step, options: SynCookieTests.options)
                for bit in 0..<32 { try fixture.expectLeft(.answer(family, cookie: cookie ^ 1 << UInt32(bit))) }
                for other: UInt32 in [1, 0x100, 0x8000_0000] {
                    try fixture.expectLeft(.answer(family, cookie: cookie, sequence: SynFixture.sequence &+ other))
                }
                // For another port, and of another client.
                var foreign = fixture.cookie(family, step: step)
                foreign.remotePort += 1
                try fixture.expectLeft(
                    .answer(family, cookie: foreign.value(step: step, options: SynCookieTests.options)))
                foreign = fixture.cookie(family, step: step)
                foreign.remote = family.stranger
                try fixture.expectLeft(
                    .answer(family, cookie: foreign.value(step: step, options: SynCookieTests.options)))
                #expect(try fixture.validCount() == 0)
                try fixture.expectLeft(.answer(family, cookie: cookie))
                #expect(try fixture.validCount() == 1)
            }
        }

        @Test(arguments: Family.allCases)
        func `a cookie of another key is forged, and rotation spares those that are valid`(family: Family) async throws
        {
            try await SynCookieTests.prepared { fixture, step in
                var maker = fixture.cookie(family, step: step)
                maker.key[1] ^= 1
                try fixture.expectLeft(
                    .answer(family, cookie: maker.value(step: step, options: SynCookieTests.options)))
                #expect(try fixture.validCount() == 0)
                let steps = [step, step - 1]
                let old = steps.map {
                    fixture.cookie(family, step: $0).value(step: $0, options: SynCookieTests.options)
                }
                let keys = (0..<4).map { fixture.tables.key(of: step + UInt64($0)) }
                #expect(Set(keys).count == 4, "each step has its own")
                fixture.tables.rotateKeys(in: step)
                let later = (0..<4).map { fixture.tables.key(of: step + UInt64($0)) }
                #expect(zip(keys, later).map { $0 == $1 } == [true, true, false, true])
                for cookie in old { try fixture.expectLeft(.answer(family, cookie: cookie)) }
                #expect(try fixture.validCount() == 2)
            }
        }

        @Test(arguments: Family.allCases)
        func `an echo that is too old makes a cookie stale`(family: Family) async throws {
            try await SynCookieTests.prepared { fixture, step in
                let maker = fixture.cookie(family, step: step)
                let cookie = maker.value(step: step, options: SynCookieTests.options)
                let clock = maker.timestamp(atNanoseconds: SynFixture.now())
                try fixture.expectLeft(.answer(family, cookie: cookie, echo: clock &- 500))
                #expect(try fixture.validCount() == 1)
                try fixture.expectLeft(.answer(family, cookie: cookie, echo: clock &- 138_000))
                try fixture.expectLeft(.answer(family, cookie: cookie, echo: clock &+ 60_000))
                #expect(try fixture.validCount() == 1)
                #expect(try fixture.count(.stale) == 2)
            }
        }

        @Test func `nothing is looked at before a SYN was answered, nor without a listener`() async throws {
            try await SynFixture.run { fixture in
                try SynFixture.inOneStep { step in
                    let cookie = fixture.cookie(.v4, step: step).value(step: step, options: SynCookieTests.options)
                    try fixture.listen()
                    #expect(fixture.tables.armedUntil == 0)
                    try fixture.expectLeft(.answer(.v4, cookie: cookie))
                    #expect(try fixture.validCount() == 0)
                    _ = try fixture.run(.syn(.v4))
                    #expect(fixture.tables.armedUntil > SynFixture.now() + UInt64(SYN_LIFETIME_NS))
                    fixture.configure { $0.mode = .off }
                    try fixture.expectLeft(.answer(.v4, cookie: cookie), "switched off: what is under way counts")
                    #expect(try fixture.validCount() == 1)
                    let elsewhere = Packet.segment(
                        .v4, 0x10, sequence: SynFixture.sequence &+ 1, acknowledged: cookie &+ 1, options: [], port: 9)
                    try fixture.expectLeft(elsewhere)
                    #expect(try fixture.validCount() == 1)
                }
            }
        }
    }
}
