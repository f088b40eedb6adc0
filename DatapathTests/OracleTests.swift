// SPDX-License-Identifier: Apache-2.0
import CDatapathABI
import EventModel
import IdentityModel
import NetworkModel
import PolicyCompiler
import Testing

/// Numbers that are the same in every run (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }
}

/// What is asked of the policy.
private struct Question {
    var direction: Direction
    var proto: IPProtocol
    /// ICMP: the type in the high byte; protocols without ports: 0.
    var port: UInt16
    var peer: NumericIdentity
}

/// What must come out.
private struct Answer: Hashable {
    var verdict: Verdict
    var reason: DropReason
    var rule: UInt32
}

/// The meaning of a map state, written without any table: looks at every entry of every tier.
private func judge(_ question: Question, by state: MapState, tiers: [UInt16]) -> Answer {
    let side = Int(question.direction.rawValue)
    var first: Answer?
    var second: Answer?
    for slot in tiers {
        var enforced = PolicyVerdict()
        var all = PolicyVerdict()
        for (key, value) in state.policy where covers(key, question, slot) {
            if value.enforced.precedence > enforced.precedence { enforced = value.enforced }
            if value.all.precedence > all.precedence { all = value.all }
        }
        guard let end = state.subjects[slot] else { continue }
        first = first ?? conclude(enforced, end.defaultDeny[side], end.defaultDenyRule[side])
        second = second ?? conclude(all, end.defaultDenyAll[side], end.defaultDenyRule[side])
    }
    let allowed = Answer(verdict: .allow, reason: .none, rule: 0)
    if let first, first.verdict == .deny { return first }
    guard let second, second.verdict == .deny else { return first ?? allowed }
    return Answer(verdict: .audit, reason: second.reason, rule: second.rule)
}

private func covers(_ key: PolicyKey, _ question: Question, _ subject: UInt16) -> Bool {
    guard key.subject == subject, key.direction == question.direction else { return false }
    guard key.peer == .any || key.peer == question.peer else { return false }
    if key.prefixLength == 17 { return true }
    guard key.proto == question.proto.rawValue else { return false }
    return (0..<16).allSatisfy { bit in
        bit >= Int(key.prefixLength) || (key.port ^ question.port) >> UInt16(15 - bit) & 1 == 0
    }
}

/// What a tier says; nil: it leaves the decision to the next one.
private func conclude(_ best: PolicyVerdict, _ isClosed: Bool, _ closedBy: UInt32) -> Answer? {
    guard best.precedence != 0 else {
        return isClosed ? Answer(verdict: .deny, reason: .policyDefaultDeny, rule: closedBy) : nil
    }
    return switch best.precedence & 0xff {
    case 192...255: Answer(verdict: .deny, reason: .policyDeny, rule: best.rule)
    case 64...191: Answer(verdict: .allow, reason: .none, rule: best.rule)
    default: nil
    }
}

/// One to eight tiers in any order, the subject's own among them or not; the slots to be asked, and the record's word.
private func randomTiers(_ generator: inout SeededGenerator) -> (slots: [UInt16], chain: UInt32) {
    guard Int.random(in: 0..<3, using: &generator) > 0 else { return ([Fixture.subject], 0) }
    let numbers = (0..<UInt16(SUBJECT_TIER_COUNT)).shuffled(using: &generator)
        .prefix(Int.random(in: 1...Int(SUBJECT_TIER_COUNT), using: &generator))
    return (
        numbers.map { $0 * UInt16(SUBJECT_COUNT_MAX) + Fixture.subject },
        numbers.reversed().reduce(0) { $0 << 4 | UInt32($1 + 1) }
    )
}

/// A state with a few dozen entries that overlap often; no two entries share a precedence, so the cause is unique.
private func randomState(_ generator: inout SeededGenerator) -> (state: MapState, tiers: [UInt16]) {
    var state = MapState()
    let (tiers, chain) = randomTiers(&generator)
    for slot in tiers {
        // Of many tiers the first must leave something to the others.
        add(slot, entries: 40 / tiers.count, isOpen: slot != tiers.last, to: &state, &generator)
    }
    state.subjects[Fixture.subject, default: .open].chain = chain
    return (state, tiers)
}

private func add(
    _ slot: UInt16, entries: Int, isOpen: Bool, to state: inout MapState, _ generator: inout SeededGenerator
) {
    let protocols: [IPProtocol] = [.tcp, .udp, .sctp, .icmp, .icmpv6]
    let ports: [UInt16] = [0, 22, 53, 80, 443, 8080, 0x5a5a, 65535]
    var subject = SubjectState.open
    for side in 0..<2 {
        let odds = isOpen ? 6 : 2
        subject.defaultDeny[side] = Int.random(in: 0..<odds, using: &generator) == 0
        subject.defaultDenyAll[side] = subject.defaultDeny[side] || Int.random(in: 0..<odds, using: &generator) == 0
        subject.defaultDenyRule[side] = UInt32(60 + side) + 100 * UInt32(slot / UInt16(SUBJECT_COUNT_MAX))
    }
    for number in 0..<UInt32.random(in: 0...UInt32(entries), using: &generator) {
        let direction = Bool.random(using: &generator) ? Direction.egress : .ingress
        let peer = [.any, .any, Fixture.peerIdentity, Fixture.strangerIdentity, .world].randomElement(using: &generator)
        var key = PolicyKey(
            peer: peer ?? .any, subject: slot, port: 0, proto: 0, direction: direction, prefixLength: 17)
        if Int.random(in: 0..<4, using: &generator) > 0, let proto = protocols.randomElement(using: &generator) {
            key.proto = proto.rawValue
            let isICMP = proto == .icmp || proto == .icmpv6
            key.prefixLength =
                isICMP
                ? [0, 8].randomElement(using: &generator) ?? 0
                : UInt8.random(in: 0...16, using: &generator)
            let port =
                isICMP
                ? [0, 0x0800, 0x8000, 0x0d00].randomElement(using: &generator)
                : ports.randomElement(using: &generator)
            key.port = (port ?? 0) & UInt16(truncatingIfNeeded: 0xffff_0000 >> UInt32(key.prefixLength))
        }
        let kind: UInt32 = [255, 200, 128, 70, 5, 36].randomElement(using: &generator) ?? 128
        let verdict = PolicyVerdict(
            precedence: UInt32.random(in: 0...6, using: &generator) << 16 | number << 8 | kind, rule: 20 + number % 40)
        var value = PolicyValue(enforced: verdict, all: verdict)
        if Int.random(in: 0..<3, using: &generator) == 0 { value.enforced = PolicyVerdict() }
        state.policy[key] = value
        let column = key.peer == .any ? Int(SUBJECT_ANY) : Int(SUBJECT_PEER)
        subject.probeMask[Int(direction.rawValue)][column] |= 1 << UInt32(key.prefixLength)
    }
    state.subjects[slot] = subject
}

extension DatapathTests {
    /// The kernel beside a reading of the same map state that uses no table at all.
    @Suite struct OracleTests {
        private let fixture: Fixture

        init() throws { fixture = try Fixture.fresh() }

        private func randomPacket(_ generator: inout SeededGenerator) -> (Packet, Question) {
            let family = Bool.random(using: &generator) ? Family.v4 : .v6
            let peers: [(IPAddress, NumericIdentity)] = [
                (family.peer, Fixture.peerIdentity), (family.stranger, Fixture.strangerIdentity),
                (family.world, .world),
            ]
            let (address, identity) = peers[Int.random(in: 0..<3, using: &generator)]
            let direction = Bool.random(using: &generator) ? Direction.egress : .ingress
            let ports: [UInt16] = [0, 22, 23, 53, 80, 443, 8080, 0x5a5a, 0x5a5b, 65534, 65535]
            let port = ports[Int.random(in: 0..<ports.count, using: &generator)]
            let base = direction == .egress ? Packet.ip(family.own, to: address) : Packet.ip(address, to: family.own)
            var question = Question(direction: direction, proto: .tcp, port: port, peer: identity)
            let client: UInt16 = 40000
            switch Int.random(in: 0..<5, using: &generator) {
            case 0: return (base.tcp(client, port, .syn), question)
            case 1:
                question.proto = .udp
                return (base.udp(client, port), question)
            case 2:
                question.proto = .sctp
                return (base.sctp(client, port, .initiate), question)
            case 3:
                (question.proto, question.port) = (family.icmp, UInt16(family.echoRequest) << 8)
                return (base.echoRequest(5), question)
            default:
                (question.proto, question.port) = (IPProtocol(rawValue: 47), 0)
                return (base.gre(), question)
            }
        }

        @Test(arguments: 0..<8) func `the kernel reads random policies as their entries mean them`(
            seed: Int
        ) throws {
            var generator = SeededGenerator(seed: UInt64(seed) &* 7919 &+ 1)
            var verdicts: [Verdict: Int] = [:]
            for _ in 0..<40 {
                var (state, tiers) = randomState(&generator)
                state.ipcache = Fixture.mappings
                try fixture.commit(state)
                for _ in 0..<50 {
                    let (packet, question) = randomPacket(&generator)
                    try fixture.forgetFlows()
                    let action = try fixture.run(packet.bytes, Hook(question.direction))
                    let events = fixture.maps.drainEvents()
                    let expected = judge(question, by: state, tiers: tiers)
                    let found = events.first.map { Answer(verdict: $0.verdict, reason: $0.reason, rule: $0.rule) }
                    #expect(found == expected, "\(question) by \(state.policy)")
                    #expect((action == 2) == (expected.verdict == .deny))
                    verdicts[expected.verdict, default: 0] += 1
                }
            }
            #expect(verdicts.count == 3 && verdicts.values.allSatisfy { $0 > 100 }, "all verdicts occur: \(verdicts)")
        }
    }

    /// The kernel's ipcache lookup beside a search by length.
    @Suite struct IdentityTests {
        private let fixture: Fixture

        init() throws { fixture = try Fixture.fresh() }

        private func randomPrefix(_ generator: inout SeededGenerator) -> CIDR {
            if Bool.random(using: &generator) {
                let bits = 0x0a00_0000 | UInt32.random(in: 0..<0x0100_0000, using: &generator)
                let length = [8, 12, 15, 16, 17, 20, 23, 24, 25, 28, 31, 32, 32, 32].randomElement(using: &generator)
                return CIDR(IPAddress(v4: bits), length: length ?? 32)
            }
            let high = 0xfdbb_0000_0000_0000 | UInt64.random(in: 0..<0x1_0000_0000, using: &generator) << 8
            let low = UInt64.random(in: 0...UInt64.max, using: &generator)
            let length = [16, 32, 40, 47, 48, 56, 63, 64, 65, 96, 127, 128, 128].randomElement(using: &generator)
            return CIDR(IPAddress(high: high, low: low), length: length ?? 128)
        }

        /// An address inside a prefix, or just beside it.
        private func address(near prefix: CIDR, _ generator: inout SeededGenerator) -> IPAddress {
            let free = UInt64.random(in: 0...UInt64.max, using: &generator)
            let flip: UInt64 =
                Int.random(in: 0..<4, using: &generator) == 0 ? 1 << UInt64.random(in: 0..<20, using: &generator) : 0
            if prefix.isIPv4 {
                let hostBits = prefix.length == 32 ? 0 : UInt32(truncatingIfNeeded: free) >> UInt32(prefix.length)
                return IPAddress(v4: prefix.address.v4Bits | hostBits ^ UInt32(flip))
            }
            let hostHigh = prefix.length >= 64 ? 0 : free >> UInt64(prefix.length)
            let hostLow = prefix.length <= 64 ? free : prefix.length == 128 ? 0 : free >> UInt64(prefix.length - 64)
            return IPAddress(high: prefix.address.high | hostHigh, low: (prefix.address.low | hostLow) ^ flip)
        }

        private func find(_ address: IPAddress, in prefixes: [CIDR: NumericIdentity]) -> NumericIdentity {
            for length in stride(from: address.isIPv4 ? 32 : 128, through: 0, by: -1) {
                if let identity = prefixes[CIDR(address, length: length)] { return identity }
            }
            return .world
        }

        private func identity(of address: IPAddress) throws -> NumericIdentity? {
            let own = address.isIPv4 ? Family.v4.own : Family.v6.own
            _ = try fixture.run(Packet.ip(own, to: address).udp(1, 2).bytes, .fromEndpoint)
            return fixture.maps.drainEvents().first?.peerIdentity
        }

        @Test func `the longest of a hundred thousand prefixes is found`() throws {
            var generator = SeededGenerator(seed: 99)
            var prefixes: [CIDR: NumericIdentity] = [:]
            while prefixes.count < 100_000 {
                prefixes[randomPrefix(&generator)] = NumericIdentity(
                    rawValue: UInt32.random(in: 256..<60000, using: &generator))
            }
            var state = TestPolicy().deny(.egress, .everything, rule: 21).mapState
            state.ipcache = prefixes
            try fixture.commit(state)
            let all = Array(prefixes.keys)
            var found: Set<Int> = []
            for _ in 0..<4000 {
                let address = address(near: all[Int.random(in: 0..<all.count, using: &generator)], &generator)
                let expected = find(address, in: prefixes)
                #expect(try identity(of: address) == expected, "\(address)")
                found.insert(address.family)
            }
            #expect(found == [4, 6])
        }

        @Test func `prefixes of every length are told apart`() throws {
            var prefixes: [CIDR: NumericIdentity] = [:]
            let four = IPAddress(v4: 0x0a5a_a5c3),
                six = IPAddress(high: 0xfdbb_a5a5_5a5a_c3c3, low: 0x3c3c_a5a5_5a5a_c3c3)
            for length in 1...32 {
                prefixes[CIDR(four, length: length)] = NumericIdentity(rawValue: 1000 + UInt32(length))
            }
            for length in 1...128 {
                prefixes[CIDR(six, length: length)] = NumericIdentity(rawValue: 2000 + UInt32(length))
            }
            var state = TestPolicy().deny(.egress, .everything, rule: 21).mapState
            state.ipcache = prefixes
            try fixture.commit(state)
            // An address that leaves the path after n bits is covered by the prefix of n bits.
            for bit in 1..<32 {
                let address = IPAddress(v4: four.v4Bits ^ 1 << UInt32(31 - bit))
                #expect(try identity(of: address)?.rawValue == 1000 + UInt32(bit))
            }
            for bit in 1..<128 {
                let mask: UInt64 = 1 << UInt64(63 - bit % 64)
                let address =
                    bit < 64
                    ? IPAddress(high: six.high ^ mask, low: six.low)
                    : IPAddress(high: six.high, low: six.low ^ mask)
                #expect(try identity(of: address)?.rawValue == 2000 + UInt32(bit))
            }
            #expect(try identity(of: four)?.rawValue == 1032 && identity(of: six)?.rawValue == 2128)
        }
    }
}
