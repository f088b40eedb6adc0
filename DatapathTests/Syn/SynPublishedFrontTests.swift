// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import KernelDatapath
import KernelTesting
import NetworkModel
import Testing

extension DatapathTests {
    /// Fronts where the destination that comes in is translated to the listener's.
    @Suite struct SynPublishedFrontTests {
        private static let target: UInt16 = 80

        /// Whether a front answers for a published port, of which so much is known.
        private static func isAnswered(
            _ fixture: SynFixture, _ family: Family, _ place: SynFixture.Place,
            gate changeGate: (inout syn_gate) -> Void = { _ in },
            _ change: (inout syn_published) -> Void = { _ in }
        ) throws -> Bool {
            let now = SynFixture.now(), address = family.stranger.kernelAddress
            let target = syn_gate_key(address: address, port: target.bigEndian, pad: 0)
            var gate = syn_gate()
            (gate.confirmed, gate.high, gate.window, gate.count) = (now, now, now, 1000)
            (gate.mss, gate.engaged, gate.space) = (1400, 1, 77)
            changeGate(&gate)
            try fixture.gates.update(target, to: gate)
            var published = syn_published()
            (published.confirmed, published.passed) = (now, now)
            published.changed = now - 10_000_000_000
            published.target = target
            change(&published)
            let key = syn_published_key(
                address: family.own.kernelAddress, port: SynFixture.port.bigEndian, pad: 0, device: 1)
            try fixture.published.update(key, to: published)
            return try fixture.meet(.syn(family), at: place) != nil
        }

        private static func prepare(
            _ place: SynFixture.Place, _ body: @escaping @Sendable (SynFixture) throws -> Void
        ) async throws {
            try await SynFixture.run { fixture in
                var front = syn_front()
                front.hook = place.kernelValue
                try fixture.fronts.update(1, to: front)
                fixture.configure { $0.mode = .auto }
                fixture.arm()
                try body(fixture)
            }
        }

        @Test(arguments: Family.allCases, SynFixture.Place.allCases)
        func `a published port is answered for as long as its translation is confirmed and the same`(
            family: Family, place: SynFixture.Place
        ) async throws {
            try await SynPublishedFrontTests.prepare(place) { fixture in
                func isAnswered(_ change: (inout syn_published) -> Void = { _ in }) throws -> Bool {
                    try SynPublishedFrontTests.isAnswered(fixture, family, place, change)
                }
                let second: UInt64 = 1_000_000_000, isFirstAnswered = try isAnswered()
                #expect(isFirstAnswered)
                #expect(try fixture.count(.answeredAhead) == 1)
                #expect(try !isAnswered { $0.confirmed -= 3 * second }, "the translation may be gone")
                #expect(try !isAnswered { $0.changed = $0.confirmed }, "several may share the port")
                #expect(try isAnswered { $0.changed = $0.confirmed - 3 * second })
                #expect(try !isAnswered { $0.restricted = $0.confirmed }, "a policy of the host has a say")
                #expect(try !isAnswered { $0.failed = $0.confirmed - 3 * second }, "cookies did not get through")
                #expect(try isAnswered { $0.failed = $0.confirmed - 61 * second })
                #expect(try !isAnswered { $0.passed -= second }, "let through, to be confirmed")
                #expect(try !isAnswered { $0.target.port = 9 }, "nobody knows such a listener")
            }
        }

        @Test(arguments: Family.allCases, SynFixture.Place.allCases)
        func `the listener's gate and its port's mode count, not those of the published port`(
            family: Family, place: SynFixture.Place
        ) async throws {
            try await SynPublishedFrontTests.prepare(place) { fixture in
                func isAnswered(_ change: (inout syn_gate) -> Void = { _ in }) throws -> Bool {
                    try SynPublishedFrontTests.isAnswered(fixture, family, place, gate: change)
                }
                #expect(try !isAnswered { $0.engaged = 0 })
                #expect(try !isAnswered { $0.restricted = $0.confirmed })
                #expect(try !isAnswered { $0.is_full = 1 })
                // A process that listens on the published port too has a gate, which is not under load.
                try fixture.gates.update(fixture.gateKey(family), to: syn_gate())
                #expect(try isAnswered())
                fixture.configure {
                    $0.mode = .auto
                    $0.ports = [SynFixture.port: .off]
                }
                #expect(try isAnswered())
                fixture.configure {
                    $0.mode = .auto
                    $0.ports = [SynPublishedFrontTests.target: .off]
                }
                #expect(try !isAnswered())
            }
        }

        @Test(arguments: Family.allCases)
        func `a cookie for a published port is not taken to a process that listens there too`(family: Family)
            async throws
        {
            try await SynFixture.run { fixture in
                try fixture.listen()
                fixture.arm()
                try SynFixture.inOneStep { step in
                    let cookie = fixture.cookie(family, step: step).value(step: step, options: 7 << 5 | 16 | 6)
                    #expect(try fixture.meet(.answer(family, cookie: cookie), at: .tcx) == nil)
                    #expect(try fixture.validCount() == 1)
                    _ = try SynPublishedFrontTests.isAnswered(fixture, family, .tcx)
                    #expect(try fixture.meet(.answer(family, cookie: cookie), at: .tcx) == nil)
                    #expect(try fixture.validCount() == 1)
                }
            }
        }
    }
}
