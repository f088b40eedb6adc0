// SPDX-License-Identifier: Apache-2.0

package import PolicyModel

/// Where the tiers of a subject lie in the tables: tier n of subject s has slot `n * 4096 + s`, as
/// `bpf/abi/endpoint.h` says.
package enum SubjectStage {
    /// Slots of a tier; the subjects themselves, which are their default tier, are below it.
    package static let subjectCount: UInt16 = 4096

    /// The slot of a subject's tier.
    package static func slot(_ tier: PolicyTier, of subject: UInt16) -> UInt16 {
        UInt16(tier.rawValue) * subjectCount + subject
    }

    /// The subject that a slot belongs to.
    package static func subject(of slot: UInt16) -> UInt16 { slot % subjectCount }

    /// The tier of a slot; nil if no tier has it.
    package static func tier(of slot: UInt16) -> PolicyTier? { PolicyTier(rawValue: UInt8(slot / subjectCount)) }

    /// The list of tiers as the subject's record has it: four bits each, the first in the lowest, number + 1.
    ///
    /// 0: the default tier alone, or none.
    package static func chain(_ tiers: [PolicyTier]) -> UInt32 {
        guard tiers.contains(where: { $0 != .normal }) else { return 0 }
        return tiers.sorted().reversed().reduce(0) { $0 << 4 | UInt32($1.rawValue + 1) }
    }

    /// The slots to be asked, in order.
    package static func slots(chain: UInt32, of subject: UInt16) -> [UInt16] {
        guard chain != 0 else { return [subject] }
        var slots: [UInt16] = []
        var rest = chain
        while rest != 0 {
            slots.append((UInt16(rest & 15) &- 1) % 8 * subjectCount + subject)
            rest >>= 4
        }
        return slots
    }

    /// `3`, or `3 admin tier`.
    package static func name(of slot: UInt16) -> String {
        let tier = tier(of: slot).map { $0 == .normal ? "" : " \($0.name) tier" } ?? " tier \(slot / subjectCount)"
        return "\(subject(of: slot))\(tier)"
    }
}
