// SPDX-License-Identifier: Apache-2.0

import PolicyCompiler
import PolicyModel
import Testing

@Suite struct PrecedenceTests {
    private let ports = (0...16).map { PortKey(proto: 6, port: 0, prefixLength: $0) } + [.allProtocols]

    private static let rank: UInt32 = 0x80_0000

    private func all(_ action: RuleAction, _ rank: UInt32) -> [UInt32] {
        ports.flatMap { port in
            [true, false].map { Precedence.of(action, rank: rank, ports: port, hasPeer: $0) }
        }
    }

    @Test func `bands do not overlap: deny, allow, pass, and ranks above all`() throws {
        let rank = PrecedenceTests.rank
        let deny = try #require(all(.deny, rank).min())
        let allow = all(.allow, rank)
        #expect(try deny > #require(allow.max()))
        #expect(try #require(allow.min()) > #require(all(.pass, rank).max()))
        #expect(try #require(all(.pass, 1002 * 16_743).min()) > Precedence.hostAccess)
        #expect(try #require(all(.pass, rank - 1).min()) > #require(all(.deny, rank).max()))
        #expect(all(.deny, 7).allSatisfy(Precedence.isDeny))
        #expect((allow + [Precedence.hostAccess]).allSatisfy(Precedence.isAllow))
        #expect(!all(.pass, 7).contains { Precedence.isAllow($0) || Precedence.isDeny($0) })
    }

    @Test func `two keys that match one packet never tie`() {
        #expect(Set(all(.allow, PrecedenceTests.rank)).count == 36)
    }
}
