// SPDX-License-Identifier: Apache-2.0
import CDatapathABI
import IdentityModel
import NetworkModel
import PolicyCompiler

/// A policy of the endpoint under test, written as table entries without the compiler: what is tested here is the
/// kernel's reading of them.
struct TestPolicy: Sendable {
    /// Which ports an entry names.
    enum Ports: Sendable {
        /// Every protocol, every port.
        case everything
        /// A protocol, every port.
        case all(IPProtocol)
        /// A protocol and the ports that share this many leading bits.
        case ports(IPProtocol, UInt16, bits: UInt8 = 16)
        /// One type of a family's ICMP.
        case icmp(IPProtocol, UInt8)
    }

    /// Which class of policies an entry belongs to.
    enum Mode: Sendable {
        case enforced
        case audit
    }

    private struct Entry: Sendable {
        var key: PolicyKey
        var verdict: PolicyVerdict
        var mode: Mode
    }

    private var entries: [Entry] = []
    private var closed: [Direction: (mode: Mode, rule: UInt32)] = [:]
    private let subject: UInt16
    /// Asked after this one.
    private var later: [TestPolicy] = []

    init(subject: UInt16 = Fixture.subject) { self.subject = subject }

    /// The entries of one tier of the subject, by its number.
    init(tier: UInt16) { subject = tier * UInt16(SUBJECT_COUNT_MAX) + Fixture.subject }

    /// Asks another tier where this one passes or says nothing.
    func then(_ tier: TestPolicy) -> Self {
        var copy = self
        copy.later.append(tier)
        return copy
    }

    /// Nothing is allowed in this direction unless an entry says so; `rule` stands for that.
    func defaultDeny(_ direction: Direction, rule: UInt32 = Fixture.defaultDenyRule, mode: Mode = .enforced) -> Self {
        var copy = self
        copy.closed[direction] = (mode, rule)
        return copy
    }

    func allow(
        _ direction: Direction, _ ports: Ports, peer: NumericIdentity = .any, rule: UInt32,
        priority: UInt32 = 0x80_0000, mode: Mode = .enforced
    ) -> Self {
        adding(direction, ports, peer, rule, (0xff_ffff - priority) << 8 | 128, mode)
    }

    func deny(
        _ direction: Direction, _ ports: Ports, peer: NumericIdentity = .any, rule: UInt32,
        priority: UInt32 = 0x80_0000, mode: Mode = .enforced
    ) -> Self {
        adding(direction, ports, peer, rule, (0xff_ffff - priority) << 8 | 255, mode)
    }

    func pass(
        _ direction: Direction, _ ports: Ports, peer: NumericIdentity = .any, rule: UInt32,
        priority: UInt32 = 0x80_0000, mode: Mode = .enforced
    ) -> Self {
        adding(direction, ports, peer, rule, (0xff_ffff - priority) << 8 | 5, mode)
    }

    private func adding(
        _ direction: Direction, _ ports: Ports, _ peer: NumericIdentity, _ rule: UInt32, _ precedence: UInt32,
        _ mode: Mode
    ) -> Self {
        var copy = self
        var key = PolicyKey(peer: peer, subject: subject, port: 0, proto: 0, direction: direction, prefixLength: 17)
        switch ports {
        case .everything: break
        case .all(let proto): (key.proto, key.prefixLength) = (proto.rawValue, 0)
        case .ports(let proto, let port, let bits):
            (key.proto, key.prefixLength) = (proto.rawValue, bits)
            key.port = port & UInt16(truncatingIfNeeded: 0xffff_0000 >> UInt32(bits))
        case .icmp(let proto, let type):
            (key.proto, key.prefixLength, key.port) = (proto.rawValue, 8, UInt16(type) << 8)
        }
        copy.entries.append(
            Entry(key: key, verdict: PolicyVerdict(precedence: precedence, rule: rule), mode: mode))
        return copy
    }

    /// The tables' content, without any ipcache.
    var mapState: MapState {
        var state = ownState
        for tier in later {
            let part = tier.ownState
            state.policy.merge(part.policy) { $1 }
            state.subjects.merge(part.subjects) { $1 }
        }
        let owner = SubjectStage.subject(of: subject)
        if subject != owner || !later.isEmpty {
            let tiers = ([self] + later).map { UInt32($0.subject / UInt16(SUBJECT_COUNT_MAX)) }
            state.subjects[owner, default: .open].chain = tiers.reversed().reduce(0) { $0 << 4 | ($1 + 1) }
        }
        if ([self] + later).contains(where: \.asksNames) {
            state.subjects[owner, default: .open].probeMask[0][Int(SUBJECT_ANY)] |= 1 << UInt32(PROBE_NAMES)
        }
        return state
    }

    private var asksNames: Bool { entries.contains { NumericIdentity.nameRange.contains($0.key.peer.rawValue) } }

    private var ownState: MapState {
        var state = MapState()
        var subjectState = SubjectState.open
        for direction in Direction.allCases {
            guard let end = closed[direction] else { continue }
            let index = Int(direction.rawValue)
            subjectState.defaultDeny[index] = end.mode == .enforced
            subjectState.defaultDenyAll[index] = true
            subjectState.defaultDenyRule[index] = end.rule
        }
        for entry in entries {
            var value = state.policy[entry.key] ?? PolicyValue(enforced: PolicyVerdict(), all: PolicyVerdict())
            if entry.mode == .enforced, entry.verdict.precedence > value.enforced.precedence {
                value.enforced = entry.verdict
            }
            if entry.verdict.precedence > value.all.precedence { value.all = entry.verdict }
            state.policy[entry.key] = value
            let kind = entry.key.peer == .any ? Int(SUBJECT_ANY) : Int(SUBJECT_PEER)
            subjectState.probeMask[Int(entry.key.direction.rawValue)][kind] |= 1 << UInt32(entry.key.prefixLength)
        }
        if asksNames { subjectState.probeMask[0][Int(SUBJECT_PEER)] |= 1 << UInt32(PROBE_NAMES) }
        state.subjects[subject] = subjectState
        return state
    }
}
