// SPDX-License-Identifier: Apache-2.0

package import NetworkModel
package import PolicyCompiler
package import PolicyModel
package import PolicyReading

/// What became of one probe.
package struct ProbeOutcome: Hashable, Sendable {
    /// What the policies of one end say.
    package struct Side: Hashable, Sendable {
        package var direction: Direction
        /// Of a host on the way: where it judged.
        package var stage: HostStage?
        package var verdict: PolicyTest.Expectation
        /// Nil: no policy says anything about it.
        package var cause: RuleDescription?
        /// Where it was decided; nil: in no tier, or the engine does not know.
        package var tier: PolicyTier?
        /// What passed the decision on, in order, as far as the engine knows.
        package var passedBy: [RuleDescription]

        package init(
            direction: Direction, stage: HostStage? = nil, verdict: PolicyTest.Expectation, cause: RuleDescription?,
            tier: PolicyTier? = nil, passedBy: [RuleDescription] = []
        ) {
            self.direction = direction
            self.stage = stage
            self.verdict = verdict
            self.cause = cause
            self.tier = tier
            self.passedBy = passedBy
        }

        /// What comes of it if policies without flows, in audit mode, said this and went on to ordinary ones.
        package func followed(by ordinary: Side) -> Side { ordinary.verdict == .deny ? ordinary : self }

        /// True if the other engine's verdict and cause are the same.
        func agrees(with other: Side) -> Bool {
            direction == other.direction && stage == other.stage && verdict == other.verdict && cause == other.cause
        }

        fileprivate var place: String { (stage.map { "\($0.rawValue) " } ?? "") + "\(direction)" }

        /// Where in the packet's order it is.
        var position: Int {
            switch (stage, direction) {
            case (nil, .egress): 0
            case (_?, .ingress): 1
            case (_?, .egress): 2
            case (nil, .ingress): 3
            }
        }

        /// `RULE`, with the tier unless it is the default one, and the rules that passed.
        fileprivate var causeText: String {
            let tier = tier.flatMap { $0 == .normal ? nil : " (\($0.name) tier)" } ?? ""
            let passers = passedBy.map(\.text).joined(separator: ", ")
            return (cause?.nameText ?? "no policy") + tier + (passers.isEmpty ? "" : ", passed on by \(passers)")
        }
    }

    /// What one engine says.
    package struct Opinion: Hashable, Sendable {
        package var engine: String
        /// Of both ends together: denied if either denies, audited if either would.
        package var verdict: PolicyTest.Expectation
        /// In the packet's order: egress at the source, what a host on the way says, ingress at the destination; ends
        /// outside the cluster judge nothing, nor does a host of what stays on its node.
        package var sides: [Side]

        /// `isImpossible`: no packet travels between the two addresses, so nobody judges one, and none arrives.
        init(engine: String, sides: [Side], isImpossible: Bool = false) {
            self.engine = engine
            self.sides = sides
            verdict =
                isImpossible || sides.contains { $0.verdict == .deny }
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
    package var dissent: Opinion? {
        opinions.dropFirst().first { !$0.sides.elementsEqual(sides) { $0.agrees(with: $1) } }
    }

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
    package var text: String {
        let causes = sides.map { "\($0.place): \($0.verdict.rawValue) by \($0.causeText)" }
        guard !causes.isEmpty || verdict != .deny else { return "deny (no packet travels between IPv4 and IPv6)" }
        return verdict.rawValue
            + (causes.isEmpty ? " (no policy is asked about it)" : " (\(causes.joined(separator: "; ")))")
    }
}
