// SPDX-License-Identifier: Apache-2.0
import CDatapathABI
import EventModel
import NetworkModel
import Testing

extension DatapathTests {
    @Suite struct FragmentTests {
        private let fixture: Fixture

        init() throws {
            fixture = try Fixture.fresh()
            try fixture.commit(
                TestPolicy().defaultDeny(.ingress).defaultDeny(.egress)
                    .allow(.ingress, .ports(.udp, 53), rule: 20).allow(.egress, .ports(.udp, 53), rule: 21)
                    .allow(.ingress, .ports(.tcp, 80), rule: 22))
        }

        private func datagram(_ family: Family, _ direction: Direction, port: UInt16 = 53) -> Packet {
            direction == .egress
                ? Packet.ip(family.own, to: family.peer).udp(40000, port, payload: 56)
                : Packet.ip(family.peer, to: family.own).udp(40000, port, payload: 56)
        }

        private func rule(_ direction: Direction) -> UInt32 { direction == .egress ? 21 : 20 }

        @Test(arguments: PolicyTests.directions) func `later fragments follow the ports of the first`(
            family: Family, direction: Direction
        ) throws {
            let whole = datagram(family, direction)
            let hook = Hook(direction)
            let first = try fixture.send(whole.fragment(0..<16, id: 5), hook)
            first.expectPass(rule: rule(direction), state: .new)
            #expect(first.count(METRIC_FRAGMENT_TRACKED) == 1)
            // In any order, also twice.
            for range in [32..<64, 16..<32, 16..<32] {
                let later = try fixture.send(whole.fragment(range, id: 5, last: range.upperBound == 64), hook)
                later.expectPass(rule: rule(direction), state: nil)
                #expect(later.count(METRIC_FRAGMENT_TRACKED) == 0)
            }
            let flow = try #require(try fixture.onlyFlow())
            #expect(flow.entry.packets.0 == 4)
            // The next datagram of the flow has another identification.
            try fixture.send(whole.fragment(0..<16, id: 6), hook).expectPass(rule: rule(direction), state: nil)
            try fixture.send(whole.fragment(16..<64, id: 6, last: true), hook).expectPass(
                rule: rule(direction), state: nil)
        }

        @Test(arguments: PolicyTests.directions)
        func `a fragment without its first one is dropped: DROP_FRAGMENT_UNTRACKED`(
            family: Family, direction: Direction
        ) throws {
            let whole = datagram(family, direction)
            let hook = Hook(direction)
            try fixture.send(whole.fragment(16..<32, id: 5), hook).expectDrop(DROP_FRAGMENT_UNTRACKED)
            try fixture.send(whole.fragment(0..<16, id: 5), hook)
            // Another datagram, direction or pair of addresses is not the one that was seen.
            try fixture.send(whole.fragment(16..<32, id: 6), hook).expectDrop(DROP_FRAGMENT_UNTRACKED)
            let other = Talk.client(family)
            let reversed = datagram(family, direction.opposite)
            try fixture.send(reversed.fragment(16..<32, id: 5), Hook(direction.opposite)).expectDrop(
                DROP_FRAGMENT_UNTRACKED)
            let asTCP = try fixture.send(other.tcp(direction, .ack, payload: 40).fragment(32..<48, id: 5), hook)
            // Who puts IPv6 datagrams together does not look at the protocol of later fragments: nor may the verdict.
            if family == .v4 {
                asTCP.expectDrop(DROP_FRAGMENT_UNTRACKED)
            } else {
                asTCP.expectPass(rule: rule(direction), state: nil)
            }
        }

        @Test(arguments: [Direction.ingress, .egress])
        func `extension headers may stand behind the fragment header`(direction: Direction) throws {
            let addresses = direction == .egress ? (Family.v6.own, Family.v6.peer) : (Family.v6.peer, Family.v6.own)
            func datagram(port: UInt8) -> Packet {
                // Destination options with padding, then UDP: every fragment says 60, only the first shows the 17.
                let options: [UInt8] = [17, 0, 1, 4, 0, 0, 0, 0]
                let udp: [UInt8] = [0x9c, 0x40, 0, port, 0, 64, 0, 0] + [UInt8](repeating: 1, count: 56)
                return Packet.ip(addresses.0, to: addresses.1).transport(60, options + udp)
            }
            let hook = Hook(direction)
            let whole = datagram(port: 53)
            try fixture.send(whole.fragment(0..<24, id: 9), hook).expectPass(rule: rule(direction), state: .new)
            try fixture.send(whole.fragment(24..<72, id: 9, last: true), hook).expectPass(
                rule: rule(direction), state: nil)
            let flow = try #require(try fixture.onlyFlow())
            #expect(flow.entry.packets.0 == 2)
            let refused = datagram(port: 54)
            try fixture.send(refused.fragment(0..<24, id: 10), hook).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            try fixture.send(refused.fragment(24..<72, id: 10, last: true), hook).expectDrop(DROP_FRAGMENT_UNTRACKED)
        }

        @Test(arguments: PolicyTests.directions) func `ports are remembered only of what was allowed`(
            family: Family, direction: Direction
        ) throws {
            let refused = datagram(family, direction, port: 54)
            let hook = Hook(direction)
            let first = try fixture.send(refused.fragment(0..<16, id: 5), hook)
            first.expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            #expect(first.count(METRIC_FRAGMENT_TRACKED) == 0)
            try fixture.send(refused.fragment(16..<64, id: 5, last: true), hook).expectDrop(DROP_FRAGMENT_UNTRACKED)
            // A second "first" fragment cannot change the ports of one that was allowed.
            let allowed = datagram(family, direction)
            try fixture.send(allowed.fragment(0..<16, id: 7), hook).expectPass(rule: rule(direction), state: .new)
            try fixture.send(refused.fragment(0..<16, id: 7), hook).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            try fixture.send(allowed.fragment(16..<64, id: 7, last: true), hook).expectPass(
                rule: rule(direction), state: nil)
        }

        @Test(arguments: Family.allCases) func `fragments of a revoked flow are cut`(family: Family) throws {
            let whole = datagram(family, .ingress)
            try fixture.send(whole.fragment(0..<16, id: 5), .toEndpoint)
            try fixture.commit(TestPolicy().deny(.ingress, .everything, rule: 25))
            try fixture.send(whole.fragment(16..<32, id: 5), .toEndpoint).expectDrop(DROP_POLICY_DENY, rule: 25)
            let next = try fixture.send(whole.fragment(0..<16, id: 6), .toEndpoint)
            next.expectDrop(DROP_POLICY_DENY, rule: 25)
            #expect(next.count(METRIC_FRAGMENT_TRACKED) == 0)
        }

        @Test(arguments: Family.allCases) func `a datagram is put together within a minute or never`(
            family: Family
        ) throws {
            fixture.setTimeouts { _ in 1_000_000 }
            let whole = datagram(family, .ingress)
            try fixture.send(whole.fragment(0..<16, id: 5), .toEndpoint)
            try fixture.ageFragments(byTicks: 59 * Fixture.ticksPerSecond)
            try fixture.send(whole.fragment(16..<32, id: 5), .toEndpoint).expectPass(rule: 20, state: nil)
            try fixture.ageFragments(byTicks: 2 * Fixture.ticksPerSecond)
            try fixture.send(whole.fragment(16..<32, id: 5), .toEndpoint).expectDrop(DROP_FRAGMENT_UNTRACKED)
        }

        @Test(arguments: Family.allCases)
        func `a first fragment that hides the transport header is dropped: DROP_FRAGMENT_MALFORMED`(
            family: Family
        ) throws {
            let tcp = Talk.server(family).tcp(.ingress, .syn, payload: 40)
            for length in [8, 16] {
                try fixture.send(tcp.fragment(0..<length), .toEndpoint).expectDrop(DROP_FRAGMENT_MALFORMED)
            }
            try fixture.send(tcp.fragment(0..<24), .toEndpoint).expectPass(rule: 22, state: .new)
            let udp = Packet.ip(family.peer, to: family.own).transport(17, [0, 1, 0, 53, 0, 8, 0])
            try fixture.send(udp.fragment(0..<7), .toEndpoint).expectDrop(DROP_FRAGMENT_MALFORMED)
        }

        @Test(arguments: Family.allCases)
        func `a fragment that could rewrite the flags already judged is dropped: DROP_FRAGMENT_MALFORMED`(
            family: Family
        ) throws {
            let tcp = Talk.server(family).tcp(.ingress, .syn, payload: 40)
            try fixture.send(tcp.fragment(0..<24), .toEndpoint)
            try fixture.send(tcp.fragment(8..<24), .toEndpoint).expectDrop(DROP_FRAGMENT_MALFORMED)
        }

        @Test(arguments: Family.allCases)
        func `a fragment past the largest datagram is dropped: DROP_FRAGMENT_MALFORMED`(
            family: Family
        ) throws {
            let huge = Packet.ip(family.peer, to: family.own)
                .transport(17, [UInt8](repeating: 0, count: 65552)).fragment(65528..<65544)
            try fixture.send(huge, .toEndpoint).expectDrop(DROP_FRAGMENT_MALFORMED)
        }

        @Test(arguments: Family.allCases) func `the largest datagram that there is passes`(family: Family) throws {
            // IPv4 counts its own header in, IPv6 no header at all.
            let size = 65535 - (family == .v4 ? 20 : 0)
            let end = size - size % 8
            let largest = Packet.ip(family.peer, to: family.own).udp(40000, 53, payload: size - 8)
            try fixture.send(largest.fragment(0..<16), .toEndpoint).expectPass(rule: 20, state: .new)
            let rest = try fixture.send(largest.fragment(end..<size, last: true), .toEndpoint)
            rest.expectPass(rule: 20, state: nil)
        }

        @Test(arguments: [Direction.ingress, .egress])
        func `fragments of IPv6 with extension headers before and behind the fragment header follow the first`(
            direction: Direction
        ) throws {
            let hook = Hook(direction)
            let destinationOptions: [UInt8] = [17, 0, 1, 4, 0, 0, 0, 0]
            for (id, isBefore) in [(5, false), (6, true)] as [(UInt32, Bool)] {
                var whole = datagram(.v6, direction)
                let bytes = destinationOptions + whole.transportBytes
                if isBefore { whole = whole.extensionHeader(0).extensionHeader(60, byteCount: 16) }
                whole = whole.transport(60, bytes)
                let first = try fixture.send(whole.fragment(0..<24, id: id), hook)
                first.expectPass(rule: rule(direction), state: id == 5 ? .new : nil)
                for range in [24..<48, 48..<72] {
                    let later = try fixture.send(whole.fragment(range, id: id, last: range.upperBound == 72), hook)
                    later.expectPass(rule: rule(direction), state: nil)
                }
                // The header behind which the datagram's nature would be hidden must be whole in the first fragment.
                try fixture.send(whole.fragment(0..<8, id: id + 10), hook).expectDrop(DROP_FRAGMENT_MALFORMED)
            }
            #expect(try fixture.onlyFlow() != nil, "one protocol, one flow")
        }

        @Test(arguments: Family.allCases) func `fragments of an echo request follow it`(family: Family) throws {
            try fixture.commit(
                TestPolicy().defaultDeny(.ingress)
                    .allow(.ingress, .icmp(family.icmp, family.echoRequest), rule: 23))
            let echo = Packet.ip(family.peer, to: family.own).echoRequest(8, payload: 56)
            try fixture.send(echo.fragment(0..<16), .toEndpoint).expectPass(rule: 23, state: .new)
            try fixture.send(echo.fragment(16..<64, last: true), .toEndpoint).expectPass(rule: 23, state: nil)
            #expect(try fixture.flows().count == 1)
        }

        @Test(arguments: Family.allCases) func `a later fragment does not move the TCP state`(family: Family) throws {
            let tcp = Talk.server(family).tcp(.ingress, .syn, payload: 40)
            try fixture.send(tcp.fragment(0..<24), .toEndpoint)
            try fixture.send(tcp.fragment(24..<60, last: true), .toEndpoint).expectPass(rule: 22, state: nil)
            #expect(try fixture.state() == CONNTRACK_SYN_SENT)
        }
    }
}
