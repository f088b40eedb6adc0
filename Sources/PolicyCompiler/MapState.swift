// SPDX-License-Identifier: Apache-2.0

package import IdentityModel
package import NetworkModel
package import PolicyModel

/// A policy table key; the fields of `struct policy_key`.
package struct PolicyKey: Hashable, Sendable {
    /// `.any` (0) or a peer identity.
    package var peer: NumericIdentity
    /// A subject's slot, or that of one of its tiers (`SubjectStage`).
    package var subject: UInt16
    /// Host order, masked to `prefixLength` bits; ICMP: the type in the high byte.
    package var port: UInt16
    /// 0 = all protocols.
    package var proto: UInt8
    package var direction: Direction
    /// 0...16 bits of `port`; 17 with `proto` 0.
    package var prefixLength: UInt8

    package init(
        peer: NumericIdentity, subject: UInt16, port: UInt16, proto: UInt8, direction: Direction, prefixLength: UInt8
    ) {
        self.peer = peer
        self.subject = subject
        self.port = port
        self.proto = proto
        self.direction = direction
        self.prefixLength = prefixLength
    }

    /// Hashed as two words: tables hold a hundred thousand of these.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(UInt64(peer.rawValue) << 32 | UInt64(subject) << 16 | UInt64(port))
        hasher.combine(UInt32(proto) << 16 | UInt32(direction.rawValue) << 8 | UInt32(prefixLength))
    }
}

/// What one class of policies says for a key; precedence 0 = nothing.
package struct PolicyVerdict: Hashable, Sendable {
    package var precedence: UInt32
    package var rule: UInt32

    package init(precedence: UInt32 = 0, rule: UInt32 = 0) {
        self.precedence = precedence
        self.rule = rule
    }
}

package struct PolicyValue: Hashable, Sendable {
    package var enforced: PolicyVerdict
    package var all: PolicyVerdict

    package init(enforced: PolicyVerdict, all: PolicyVerdict) {
        self.enforced = enforced
        self.all = all
    }
}

/// One policy subject, or one of its tiers; the fields of `struct subject_entry` but for the epoch, which the commit
/// assigns.
package struct SubjectState: Hashable, Sendable {
    /// Indexed by `Direction.rawValue`.
    package var defaultDeny: [Bool]
    package var defaultDenyAll: [Bool]
    /// `[direction][0: peer entries, 1: any-peer entries]`, bits as in `struct subject_entry`.
    package var probeMask: [[UInt32]]
    /// Rule slot reported for "no rule allowed it".
    package var defaultDenyRule: [UInt32]
    /// Of a subject: the tiers to be asked, as `SubjectStage.chain` writes them; 0: this slot alone.
    package var chain: UInt32

    package init(
        defaultDeny: [Bool] = [false, false], defaultDenyAll: [Bool] = [false, false],
        probeMask: [[UInt32]] = [[0, 0], [0, 0]], defaultDenyRule: [UInt32] = [0, 0], chain: UInt32 = 0
    ) {
        self.defaultDeny = defaultDeny
        self.defaultDenyAll = defaultDenyAll
        self.probeMask = probeMask
        self.defaultDenyRule = defaultDenyRule
        self.chain = chain
    }

    /// The bit of an egress probe mask that says: ask for names.
    ///
    /// With the mask of peers: this tier does; with the other, of
    /// a subject's own slot: one of its tiers does.
    package static let namesProbe: UInt32 = 1 << 18

    /// No policy: everything is open.
    package static let open = SubjectState()
}

/// The complete desired content of the policy tables: pure, deterministic, printable.
package struct MapState: Hashable, Sendable {
    package var policy: [PolicyKey: PolicyValue]
    /// By slot, of subjects and of their tiers.
    package var subjects: [UInt16: SubjectState]
    /// Prefix (or host address) to identity.
    package var ipcache: [CIDR: NumericIdentity]
    /// What each rule slot in use stands for.
    package var rules: [UInt32: RuleDescription]

    package init(
        policy: [PolicyKey: PolicyValue] = [:], subjects: [UInt16: SubjectState] = [:],
        ipcache: [CIDR: NumericIdentity] = [:], rules: [UInt32: RuleDescription] = [:]
    ) {
        self.policy = policy
        self.subjects = subjects
        self.ipcache = ipcache
        self.rules = rules
    }
}

/// What a rule slot stands for.
package enum RuleDescription: Hashable, Sendable {
    case rule(RuleOrigin)
    /// "No rule allowed it", with the policies that close this direction for the subject, sorted.
    case defaultDeny(Direction, [PolicyReference])
    /// A verdict that needs no policy: host access, failsafe, neighbour discovery …
    case builtin(String)
}
