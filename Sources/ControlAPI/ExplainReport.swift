// SPDX-License-Identifier: Apache-2.0

/// `POST /v1/explain`: whether X would reach Y.
package struct ExplainRequest: Codable, Hashable, Sendable {
    /// Endpoint name or number, address, or labels (`k8s:app=web,k8s:tier=front`), also of workloads that do not exist.
    package var from: String
    package var to: String
    /// Destination port; for ICMP the type.
    package var port: UInt16?
    /// The port by its name at the destination, instead of `port`.
    package var portName: String?
    /// Protocol name or number; TCP if absent.
    package var `protocol`: String?
    /// 4 or 6: of workloads with addresses of both families; 4 if absent.
    package var family: Int?

    package init(
        from: String, to: String, port: UInt16?, protocol: String?, family: Int? = nil, portName: String? = nil
    ) {
        self.from = from
        self.to = to
        self.port = port
        self.portName = portName
        self.protocol = `protocol`
        self.family = family
    }
}

/// The verdict, and every rule that took part.
package struct ExplainReport: Codable, Hashable, Sendable {
    /// `allow`, `deny` or `audit`: of the whole way.
    package var verdict: String
    package var from: ExplainedSide
    package var to: ExplainedSide
    /// `tcp/443`, `icmp type 8`.
    package var traffic: String
    /// Egress at the sender, then ingress at the receiver; a side that is no endpoint of this host judges nothing.
    package var steps: [ExplainedStep]
    /// How many other pairs of the two sides' addresses are judged the same.
    package var agreeing: Int
    /// Pairs of addresses with another verdict, one for each verdict and family.
    package var differing: [ExplainedVariant]

    package init(
        verdict: String, from: ExplainedSide, to: ExplainedSide, traffic: String, steps: [ExplainedStep],
        agreeing: Int = 0, differing: [ExplainedVariant] = []
    ) {
        self.verdict = verdict
        self.from = from
        self.to = to
        self.traffic = traffic
        self.steps = steps
        self.agreeing = agreeing
        self.differing = differing
    }
}

/// The judgement of other addresses of the same two sides.
package struct ExplainedVariant: Codable, Hashable, Sendable {
    package var verdict: String
    package var fromAddress: String?
    package var toAddress: String?
    package var steps: [ExplainedStep]

    package init(verdict: String, fromAddress: String?, toAddress: String?, steps: [ExplainedStep]) {
        self.verdict = verdict
        self.fromAddress = fromAddress
        self.toAddress = toAddress
        self.steps = steps
    }
}

/// How one end was understood.
package struct ExplainedSide: Codable, Hashable, Sendable {
    /// As asked.
    package var text: String
    /// `endpoint`, `address`, `labels` or `name`.
    package var kind: String
    package var endpoint: String?
    package var identity: UInt32
    package var labels: [String]
    /// The one judged, of several perhaps; nil: none is known, no prefix matches.
    package var address: String?

    package init(
        text: String, kind: String, endpoint: String? = nil, identity: UInt32, labels: [String],
        address: String? = nil
    ) {
        self.text = text
        self.kind = kind
        self.endpoint = endpoint
        self.identity = identity
        self.labels = labels
        self.address = address
    }
}

/// One direction's judgement.
package struct ExplainedStep: Codable, Hashable, Sendable {
    /// `egress of web`.
    package var title: String
    package var direction: String
    /// `allow`, `deny`, `audit`.
    package var verdict: String
    /// Drop reason of a deny or audit.
    package var reason: String?
    /// The rule that decided, or which policies made it default deny.
    package var cause: String
    /// `file:line:column` of that rule.
    package var source: String?
    /// Where it was decided: `admin`, `default` or `baseline`; absent if in no tier.
    package var tier: String?
    /// The rules by which earlier tiers passed the decision on, in order; absent if none did.
    package var passedBy: [String]?
    /// Every other rule that matched, most important first.
    package var matched: [ExplainedRule]
    /// Rules that select the endpoint in this direction and did not match, with the reason why not.
    package var unmatched: [ExplainedRule]
    /// What the verdict does not say and whoever asked should know; absent if nothing.
    package var hint: String?

    package init(
        title: String, direction: String, verdict: String, reason: String?, cause: String, source: String?,
        tier: String? = nil, passedBy: [String]? = nil, matched: [ExplainedRule], unmatched: [ExplainedRule],
        hint: String? = nil
    ) {
        self.title = title
        self.direction = direction
        self.verdict = verdict
        self.reason = reason
        self.cause = cause
        self.source = source
        self.tier = tier
        self.passedBy = passedBy
        self.matched = matched
        self.unmatched = unmatched
        self.hint = hint
    }
}

/// One rule's part in a judgement.
package struct ExplainedRule: Codable, Hashable, Sendable {
    package var rule: String
    /// `allow`, `deny`, `pass`.
    package var action: String
    package var source: String?
    /// What the rule says about this packet: why it won, lost or did not match.
    package var note: String

    package init(rule: String, action: String, source: String? = nil, note: String) {
        self.rule = rule
        self.action = action
        self.source = source
        self.note = note
    }
}
