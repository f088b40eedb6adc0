// SPDX-License-Identifier: Apache-2.0

import IdentityModel
package import PolicyModel

/// What is known besides the documents when policies are looked at.
package struct LintSurroundings: Sendable {
    /// The endpoints of the host, or imagined ones; nil: unknown, so nothing is said that depends on them.
    package var workloads: [VerdictComparison.Party]?
    /// Ports of the host that no policy closes; nil: unknown.
    package var openPorts: Set<OpenPort>?
    /// True if the host is an endpoint, so that policies of hosts are in force there; nil: unknown.
    package var isHostEndpoint: Bool?
    /// Seconds since 1970; nil: unknown.
    package var now: Int64?
    /// True if the agent reads the answers of some resolver; nil: unknown.
    package var readsAnswers: Bool?
    package var options: CompileOptions
    /// Verdicts to ask for at most, over all rules.
    package var questionsMax: Int

    package init(
        workloads: [VerdictComparison.Party]? = nil, openPorts: Set<OpenPort>? = nil, isHostEndpoint: Bool? = nil,
        now: Int64? = nil, readsAnswers: Bool? = nil, options: CompileOptions = CompileOptions(),
        questionsMax: Int = 20_000
    ) {
        self.workloads = workloads
        self.openPorts = openPorts
        self.isHostEndpoint = isHostEndpoint
        self.now = now
        self.readsAnswers = readsAnswers
        self.options = options
        self.questionsMax = questionsMax
    }
}

/// One finding about one policy.
package struct LintFinding: Hashable, Sendable {
    /// Nil: it is about a file, not about a policy that was read.
    package var policy: PolicyReference?
    package var diagnostic: Diagnostic
    /// Why its author means it to be so; nil: nobody said.
    package var exemption: String?

    package init(policy: PolicyReference?, diagnostic: Diagnostic, exemption: String? = nil) {
        self.policy = policy
        self.diagnostic = diagnostic
        self.exemption = exemption
    }
}
