// SPDX-License-Identifier: Apache-2.0

import CDatapathABI
import IdentityModel
import PolicyCompiler
import Testing

/// Numbers that pure logic states for itself, because it may not see the kernel's headers, are the headers' numbers.
@Suite struct KernelNumberTests {
    @Test func `built-in rule slots are the kernel's`() {
        #expect(Int(RuleRegistry.hostAccess) == Int(RULE_HOST_ACCESS))
        #expect(Int(RuleRegistry.unnumbered) == Int(RULE_UNNUMBERED))
        let slots: [Int] = [
            Int(RULE_HOST_ACCESS), Int(RULE_FAILSAFE), Int(RULE_NEIGHBOR_DISCOVERY), Int(RULE_SELF),
            Int(RULE_RELATED), Int(RULE_FORWARDED), Int(RULE_KEPT), Int(RULE_UNNUMBERED),
        ]
        #expect(RuleRegistry.builtins.keys.map(Int.init).sorted() == slots)
        #expect(Int(RuleRegistry.slotRange.lowerBound) == Int(RULE_FIRST_FREE))
        #expect(Int(RuleRegistry.slotRange.upperBound) == Int(RULE_SLOT_COUNT) - 1)
    }

    @Test func `classes of precedence are the kernel's, host access the lowest allow`() {
        #expect(Precedence.denyBase == UInt32(PRECEDENCE_CLASS_DENY))
        #expect(Precedence.hostAccess & UInt32(PRECEDENCE_CLASS_MASK) == UInt32(PRECEDENCE_CLASS_ALLOW))
    }

    @Test func `ranges of identities are the kernel's`() {
        #expect(Int(NumericIdentity.workloadRange.lowerBound) == Int(IDENTITY_WORKLOAD_MIN))
        #expect(Int(NumericIdentity.workloadRange.upperBound) == Int(IDENTITY_WORKLOAD_MAX))
        #expect(Int(NumericIdentity.localRange.lowerBound) == Int(IDENTITY_LOCAL_MIN))
        #expect(Int(NumericIdentity.localRange.upperBound) == Int(IDENTITY_LOCAL_MAX))
        #expect(Int(NumericIdentity.prefixRange.upperBound) == Int(IDENTITY_DERIVED_MIN) - 1)
        #expect(Int(NumericIdentity.derivedRange.lowerBound) == Int(IDENTITY_DERIVED_MIN))
        #expect(Int(NumericIdentity.nameRange.lowerBound) == Int(IDENTITY_NAME_MIN))
        #expect(Int(NumericIdentity.nameRange.upperBound) == Int(IDENTITY_NAME_MAX))
        #expect(SubjectState.namesProbe == 1 << UInt32(PROBE_NAMES))
        #expect(Int(NumericIdentity.world.rawValue) == Int(IDENTITY_WORLD))
        #expect(Int(NumericIdentity.host.rawValue) == Int(IDENTITY_HOST))
    }
}
