// SPDX-License-Identifier: Apache-2.0

/// Answer of `POST /v1/policies/plan`: whose traffic gets another verdict by a change of policies.
package struct PlanReport: Codable, Hashable, Sendable {
    /// Traffic between two parties, or between one and what a stage of the host judges, whose verdict changes.
    package struct Change: Codable, Hashable, Sendable {
        /// `namespace/name` of a workload, `host`, `world`, or `world 10.0.0.0/8`; where `stage` says so
        /// `what passes through the host`.
        package var from: String
        /// The same, or `*.example.org`: addresses that the sender knows by such a name.
        package var to: String
        /// `tcp/5432`, `everything but udp/53`.
        package var traffic: String
        /// `allow`, `deny`, or `audit` (it passes and is reported).
        package var before: String
        package var after: String
        /// `by RULE` or `because …`.
        package var reason: String
        /// `file:line:column` of the rule that decides.
        package var source: String?
        /// The stage of the host that one of the two is, such as `forward`; nil: both are parties.
        package var stage: String?
        /// Where it is judged, as seen from the stage: `ingress` (`to` is the stage) or `egress` (`from` is).
        package var direction: String?

        package init(
            from: String, to: String, traffic: String, before: String, after: String, reason: String,
            source: String? = nil, stage: String? = nil, direction: String? = nil
        ) {
            self.from = from
            self.to = to
            self.traffic = traffic
            self.before = before
            self.after = after
            self.reason = reason
            self.source = source
            self.stage = stage
            self.direction = direction
        }
    }

    /// Changes to name unless another number is asked for.
    package static let limit = 50

    /// No more than were asked for.
    package var changes: [Change]
    /// How many there are together.
    package var total: Int
    /// Pairs that were not looked at because there are too many of them.
    package var unjudgedPairs: Int
    /// References of policies that would be new or differ.
    package var added: [String] = []
    package var changed: [String] = []
    /// References of policies that would go out of force.
    package var removed: [String] = []
    /// Why the change itself would be refused.
    package var refusal: String?
    package var diagnostics: [DiagnosticRecord] = []

    package init(changes: [Change], total: Int, unjudgedPairs: Int) {
        self.changes = changes
        self.total = total
        self.unjudgedPairs = unjudgedPairs
    }
}
