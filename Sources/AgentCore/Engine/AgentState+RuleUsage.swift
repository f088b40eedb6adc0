// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import KernelDatapath
import LinuxHost
import Logging
import PolicyCompiler
import PolicyModel

/// The record of when rules were last hit, and what it says.
extension AgentState {
    /// How often counters are looked at, and how often the record is written if nothing else asks for it.
    static let usageInterval = Duration.seconds(60)
    private static let usageWritesEvery = 10

    /// Looks at the counters; writes the record every tenth time, and with `isLast`.
    func noteRuleUsage(isLast: Bool = false) {
        guard isAdopted, !configuration.isDryRun else { return }
        do {
            try lookAtRuleCounters()
        } catch {
            return report("rule usage", "the rule counters cannot be read: \(error)")
        }
        usageRounds += 1
        guard isLast || usageRounds % AgentState.usageWritesEvery == 1, let usage else { return }
        do {
            try StateStorage.write(usage.file, to: configuration.ruleUsagePath)
            clearProblem("rule usage")
        } catch {
            report("rule usage", "\(error.description); the record of unused rules is kept in memory meanwhile")
        }
    }

    private func lookAtRuleCounters() throws {
        let now = Int64(HostClock.bootNanoseconds() / 1_000_000_000)
        if usage == nil { usage = RuleUsage(storedUsage(), bootID: (try? HostClock.bootID()) ?? "", bootSeconds: now) }
        let registry = engine.registry
        try usage?.note(
            engine.input.policies, bootSeconds: now, slots: { registry.slot(of: .rule($0.origin)) },
            packets: { slots in
                try datapath.ruleTraffic(Array(slots)).mapValues { $0.ingress.packets &+ $0.egress.packets }
            })
    }

    /// A record that cannot be read begins anew: then nothing is called unused before its time.
    private func storedUsage() -> RuleUsage.File? {
        do throws(AgentError) {
            guard let file = try StateStorage.read(RuleUsage.File.self, from: configuration.ruleUsagePath) else {
                return nil
            }
            return file.version == RuleUsage.File.currentVersion ? file : nil
        } catch {
            logger.warning("rule usage begins anew", metadata: ["cause": "\(error.description)"])
            return nil
        }
    }

    func unusedRules(since seconds: Int64) async throws(APIError) -> RuleUsageReport {
        do {
            try lookAtRuleCounters()
        } catch {
            throw APIError(.commitFailed, "the rule counters cannot be read: \(error)")
        }
        guard let usage else { throw APIError(.unavailable, "the agent is starting") }
        var report = RuleUsageReport(since: seconds, watched: usage.watched)
        // Without a free number a rule is enforced under one that it shares.
        let areNumbersUsedUp = engine.registry.descriptions.count >= RuleRegistry.slotRange.count
        for policy in engine.input.policies.values.sorted(by: { $0.reference < $1.reference }) {
            for (position, rule) in policy.rules.enumerated() {
                let isNumbered = engine.registry.slot(of: .rule(rule.origin)) != nil
                guard isNumbered || !areNumbersUsedUp, let entry = usage.entry(of: policy.reference, at: position)
                else {
                    report.uncounted += 1
                    continue
                }
                report.rules += 1
                let age = usage.watched - entry.since
                let idle = usage.watched - (entry.lastHit ?? entry.since)
                guard idle >= seconds || entry.lastHit == nil else { continue }
                let record = RuleUsageReport.Rule(
                    policy: policy.reference.text, rule: "\(rule.origin.section)[\(rule.origin.index)]",
                    action: "\(rule.action)", source: rule.origin.source.text, watched: age,
                    lastHit: entry.lastHit.map { usage.watched - $0 }, isInEffect: isNumbered)
                if idle >= seconds { report.unused.append(record) } else { report.young.append(record) }
            }
        }
        return report
    }
}
