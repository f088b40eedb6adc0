// SPDX-License-Identifier: Apache-2.0

import PolicyCompiler
import PolicyModel
import Testing

@Suite struct PrecedenceTests {
    private let ports = (0...16).map { PortKey(proto: 6, port: 0, prefixLength: $0) } + [.allProtocols]

    private func all(_ action: RuleAction, _ priority: UInt32) -> [UInt32] {
        ports.flatMap { port in
            [true, false].map { Precedence.of(action, priority: priority, ports: port, hasPeer: $0) }
        }
    }

    @Test func `bands do not overlap: deny, allow, host access, and tiers above all`() throws {
        let deny = try #require(all(.deny, PolicyPriority.normal).min())
        let allow = all(.allow, PolicyPriority.normal)
        #expect(try deny > #require(allow.max()))
        #expect(try #require(allow.min()) > Precedence.hostAccess)
        #expect(try Precedence.hostAccess > #require(all(.pass, PolicyPriority.normal).max()))
        #expect(
            try #require(all(.allow, PolicyPriority.normal - 1).min()) > #require(
                all(.deny, PolicyPriority.normal).max()))
        #expect(all(.deny, 7).allSatisfy(Precedence.isDeny))
        #expect((allow + [Precedence.hostAccess]).allSatisfy(Precedence.isAllow))
        #expect(!all(.pass, 7).contains { Precedence.isAllow($0) || Precedence.isDeny($0) })
    }

    @Test func `two keys that match one packet never tie`() {
        #expect(Set(all(.allow, PolicyPriority.normal)).count == 36)
    }
}
