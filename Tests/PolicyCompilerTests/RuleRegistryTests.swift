// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import PolicyCompiler
import PolicyModel
import Testing

@Suite struct RuleRegistryTests {
    private func rule(_ index: Int, line: Int = 1) -> RuleDescription {
        .rule(
            RuleOrigin(
                policy: PolicyReference(kind: "NetworkPolicy", namespace: "shop", name: "api"), section: "ingress",
                index: index, source: SourceLocation(file: "a.yaml", line: line, column: 1)))
    }

    @Test func `a rule keeps its slot while it moves in its file, and gets it back when it returns`() {
        var registry = RuleRegistry()
        let slot = registry.use(rule(0))
        #expect(registry.use(rule(1)) != slot)
        #expect(registry.use(rule(0, line: 7)) == slot)
        #expect(registry.descriptions[slot] == rule(0, line: 7))
        #expect(registry.release(rule(0)) == nil)
        #expect(registry.release(rule(0)) == slot)
        #expect(registry.descriptions[slot] == nil)
        #expect(registry.use(rule(2)) != slot)
        #expect(registry.use(rule(0)) == slot)
    }

    @Test func `slots survive a restart through a snapshot`() {
        var registry = RuleRegistry()
        let closing = RuleDescription.defaultDeny(
            .ingress, [PolicyReference(kind: "NetworkPolicy", namespace: "shop", name: "api")])
        let slots = [registry.use(rule(0)), registry.use(closing), registry.use(rule(1))]
        registry.release(rule(1))
        var restored = RuleRegistry(registry.snapshot)
        #expect(restored.descriptions == RuleRegistry.builtins)
        #expect(restored.use(rule(9)) == 19)
        #expect([restored.use(rule(0)), restored.use(closing), restored.use(rule(1))] == slots)
    }

    @Test func `beyond the last slot rules share the one of unnumbered rules`() {
        var registry = RuleRegistry()
        for index in 0..<RuleRegistry.slotRange.count { _ = registry.use(rule(index)) }
        #expect(registry.use(rule(-1)) == RuleRegistry.unnumbered)
        #expect(registry.release(rule(-1)) == nil)
        registry.release(rule(5))
        #expect(registry.use(rule(-1)) == 16 + 5)
    }
}
