// SPDX-License-Identifier: Apache-2.0

package import NetworkModel
package import PolicyCompiler
import PolicyModel
package import PolicyReading

/// What became of one probe.
package struct ProbeOutcome: Hashable, Sendable {
    /// What the policies of one end say.
    package struct Side: Hashable, Sendable {
        package var direction: Direction
        package var verdict: PolicyTest.Expectation
        /// Nil: no policy selects this end in this direction.
        package var cause: RuleDescription?

        package init(direction: Direction, verdict: PolicyTest.Expectation, cause: RuleDescription?) {
            self.direction = direction
            self.verdict = verdict
            self.cause = cause
        }
    }

    /// What one engine says.
    package struct Opinion: Hashable, Sendable {
        package var engine: String
        /// Of both ends together: denied if either denies, audited if either would.
        package var verdict: PolicyTest.Expectation
        /// Egress at the source, then ingress at the destination; ends outside the cluster judge nothing.
        package var sides: [Side]

        init(engine: String, sides: [Side]) {
            self.engine = engine
            self.sides = sides
            verdict =
                sides.contains { $0.verdict == .deny }
                ? .deny : sides.contains { $0.verdict == .audit } ? .audit : .allow
        }
    }

    package var probe: PolicyTest.Probe
    /// One for each engine, at least one.
    package var opinions: [Opinion]

    init(probe: PolicyTest.Probe, opinions: [Opinion]) {
        precondition(!opinions.isEmpty, "an outcome is somebody's opinion")
        self.probe = probe
        self.opinions = opinions
    }

    /// Of the first engine.
    package var verdict: PolicyTest.Expectation { opinions[0].verdict }

    /// Of the first engine.
    package var sides: [Side] { opinions[0].sides }

    /// The first opinion that differs from the first engine's in a verdict or its cause; nil if all agree.
    package var dissent: Opinion? { opinions.dropFirst().first { $0.sides != sides } }

    /// True if the engines agree and the verdict, and the rule where one is named, are as expected.
    package var isMet: Bool { dissent == nil && isVerdictMet && isRuleMet }

    private var isVerdictMet: Bool {
        verdict == probe.expectation || verdict == .audit && probe.expectation == .allow
    }

    /// The rule, or its whole policy, must be what decided at an end with the probe's verdict.
    private var isRuleMet: Bool {
        guard let rule = probe.rule else { return true }
        return sides.contains { side in
            guard side.verdict == verdict, let cause = side.cause else { return false }
            if case .defaultDeny(_, let policies) = cause, policies.contains(where: { $0.text == rule }) { return true }
            return cause.text == rule || cause.nameText == rule || cause.text.hasPrefix(rule + " ")
        }
    }

    /// What went wrong, one line; nil if nothing did.
    package var failure: String? {
        if isMet { return nil }
        if let dissent {
            return "\(opinions[0].engine) and \(dissent.engine) disagree: "
                + "\(opinions[0].engine) says \(opinions[0].text), \(dissent.engine) says \(dissent.text)"
        }
        let expected = isVerdictMet ? "rule \(probe.rule ?? "")" : probe.expectation.rawValue
        return "expected \(expected), got \(opinions[0].text)"
    }
}

extension ProbeOutcome.Opinion {
    /// The verdict and what each end says.
    fileprivate var text: String {
        let causes = sides.map { "\($0.direction): \($0.verdict.rawValue) by \($0.cause?.nameText ?? "no policy")" }
        return verdict.rawValue
            + (causes.isEmpty ? " (neither end is a workload)" : " (\(causes.joined(separator: "; ")))")
    }
}
