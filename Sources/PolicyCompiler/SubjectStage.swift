// SPDX-License-Identifier: Apache-2.0

/// Where the tiers of a subject lie in the tables: stage n of subject s has slot `n * 4096 + s`, as
/// `bpf/abi/endpoint.h` says; `TierLine` says which tier has which stage.
package enum SubjectStage {
    /// Slots of a tier; the subjects themselves, which are their default tier, are below it.
    package static let subjectCount: UInt16 = 4096
    /// Tiers that the tables have room for.
    package static let count: UInt8 = 8

    /// The slot of a subject's tier.
    package static func slot(_ stage: UInt8, of subject: UInt16) -> UInt16 {
        UInt16(stage) * subjectCount + subject
    }

    /// The subject that a slot belongs to.
    package static func subject(of slot: UInt16) -> UInt16 { slot % subjectCount }

    /// The stage of a slot.
    package static func stage(of slot: UInt16) -> UInt8 { UInt8(slot / subjectCount) }

    /// The list of tiers as the subject's record has it: four bits each, the first in the lowest, number + 1.
    ///
    /// 0: the default tier alone, or none.
    package static func chain(_ stages: [UInt8]) -> UInt32 {
        guard stages.contains(where: { $0 != 0 }) else { return 0 }
        return stages.reversed().reduce(0) { $0 << 4 | UInt32($1 + 1) }
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

    /// `3`, or `3 admin tier`; tiers of the user's own by number.
    package static func name(of slot: UInt16) -> String {
        let stage = stage(of: slot)
        let tier = stage == 0 ? "" : stage == 1 ? " admin tier" : stage == 2 ? " baseline tier" : " tier \(stage)"
        return "\(subject(of: slot))\(tier)"
    }
}
