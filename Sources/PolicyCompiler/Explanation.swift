// SPDX-License-Identifier: Apache-2.0

package import IdentityModel
package import NetworkModel
package import PolicyModel

/// One side of a flow to be explained; it need not exist.
package struct ExplainedSide: Hashable, Sendable {
    package var labels: LabelSet
    /// Nil: unknown; then no prefix matches it.
    package var address: IPAddress?
    /// Outside: the DNS names that the other side has learnt the address for.
    package var names: [DomainName] = []
    /// Its own, which its ingress rules mean.
    package var namedPorts: NamedPorts
    /// Those of all endpoints with its labels, which others' egress rules mean: peers are known by identity.
    package var sharedPorts: NamedPorts
    /// The host itself.
    package var isHost: Bool
    /// Of the host: where it is judged, if not at its own connections.
    package var stage: HostStage?
    /// Of the host: judged at its sockets, not at the host's devices.
    package var isService = false
    /// By which others know it, if those are not all of `labels`: a service is the host to them.
    package var labelsForOthers: LabelSet?
    /// An endpoint of this host: policy is evaluated at it.
    ///
    /// Else only what the other side says counts.
    package var isEndpoint: Bool
    /// A workload or the host: matched by prefixes only where they include workloads.
    package var isWorkload: Bool
    /// What it exchanges with the host crosses a device of the host endpoint, where the host's policies are asked; what
    /// the host exchanges with itself does not.
    package var crossesHostDevice: Bool
    /// Of the host: what no policy closes.
    package var openPorts: Set<OpenPort> = []
    /// In audit mode: what its policies deny is reported and passes.
    package var isAudited: Bool

    /// `sharedPorts` nil: the same as `namedPorts`.
    package init(
        labels: LabelSet, address: IPAddress? = nil, namedPorts: NamedPorts = NamedPorts(),
        sharedPorts: NamedPorts? = nil, isHost: Bool = false, isEndpoint: Bool = true, isWorkload: Bool = true,
        crossesHostDevice: Bool = true, isAudited: Bool = false
    ) {
        self.labels = labels
        self.address = address
        self.namedPorts = namedPorts
        self.sharedPorts = sharedPorts ?? namedPorts
        self.isHost = isHost
        self.isEndpoint = isEndpoint
        self.isWorkload = isWorkload
        self.crossesHostDevice = crossesHostDevice
        self.isAudited = isAudited
    }

    var kind: SubjectKind { isHost ? stage.map(SubjectKind.stage) ?? .host : .workload }

    /// The host as what a stage of it judges by; policies for the stage select it.
    package func at(_ stage: HostStage) -> ExplainedSide {
        var side = self
        side.stage = stage
        side.labels = LabelSet((labelsForOthers ?? labels).labels + [stage.marker])
        side.namedPorts = NamedPorts()
        side.sharedPorts = NamedPorts()
        side.openPorts = []
        side.address = nil
        return side
    }

    /// With the labels that count at the other side.
    var asOthersKnowIt: ExplainedSide {
        var side = self
        side.labels = labelsForOthers ?? labels
        return side
    }

    /// True if policies without flows are asked about what it exchanges with that peer: it crosses a device of the host.
    func crossesOwnDevice(to peer: ExplainedSide) -> Bool {
        isHost && stage != .untracked && peer.crossesHostDevice && (address == nil || address != peer.address)
    }

    /// True if its policies are asked about what it exchanges with that peer.
    func isAsked(about peer: ExplainedSide) -> Bool {
        guard isEndpoint else { return false }
        // A workload's other end is its link, which is no device of the host's.
        if stage != nil { return !peer.isEndpoint && !peer.isHost }
        return !isHost || isService || peer.crossesHostDevice
    }

    /// An address outside: `reserved:world`.
    ///
    /// `names`: what DNS calls it, as far as the other side has asked.
    package static func world(_ address: IPAddress?, names: [DomainName] = []) -> ExplainedSide {
        var side = ExplainedSide(
            labels: LabelSet([Label(source: LabelSource.reserved, key: "world")]), address: address, isEndpoint: false,
            isWorkload: false)
        side.names = names
        return side
    }

    /// The host, which is an endpoint itself only if the host endpoint is enabled.
    package static func host(
        _ address: IPAddress?, labels: [Label] = [], isEndpoint: Bool, isAudited: Bool = false
    ) -> ExplainedSide {
        ExplainedSide(
            labels: LabelSet(labels + [Label(source: LabelSource.reserved, key: "host")]), address: address,
            isHost: true, isEndpoint: isEndpoint, crossesHostDevice: false, isAudited: isAudited)
    }
}

/// The verdict for a flow and everything that took part in it.
package struct Explanation: Hashable, Sendable {
    package enum Verdict: String, Hashable, Sendable {
        case allow
        case deny
        /// It passes, but policies in audit mode would deny it, or policies deny it at an endpoint in audit mode.
        case audit
    }

    /// What one endpoint's policies say in one direction.
    package struct Side: Hashable, Sendable {
        package var direction: Direction
        /// Of the host: where it was judged, if not at its own connections.
        package var stage: HostStage?
        package var verdict: Verdict
        /// What decided; nil: no policy did.
        package var cause: RuleDescription?
        /// Where it was decided; nil: in no tier.
        package var tier: PolicyTier?
        /// The rules by which earlier tiers passed the decision on, in order.
        package var passedBy: [RuleOrigin] = []
        /// Every rule that selects the endpoint in this direction, in the order of the policies.
        package var findings: [Finding]
        /// Policies that close the direction for the endpoint.
        package var closedBy: [PolicyReference]
        /// The same, in audit mode.
        package var closedInAuditBy: [PolicyReference]
        /// What the host's policies without flows said before, if they left it open; at most one.
        package var ahead: [Side] = []
        /// Enforced policies decided it; else it is open, or audit mode let it pass.
        var isSettled = false
    }

    /// What became of one rule.
    package struct Finding: Hashable, Sendable {
        package enum Outcome: String, Hashable, Sendable {
            /// It is the cause of the verdict.
            case decides
            /// It matches, and says the same as the deciding rule or is outweighed by a rule of its own kind.
            case matches
            /// It would allow, but a rule that denies outweighs it.
            case coveredByDeny = "covered-by-deny"
            /// It passed the decision on to the next tier.
            case passes
            /// It matches, but an earlier tier decided.
            case notReached = "not-reached"
            /// Its peers match, its ports do not.
            case portDiffers = "port-differs"
            /// Its ports match, its peers do not.
            case peerDiffers = "peer-differs"
            /// Neither matches.
            case differs
        }

        package var rule: RuleOrigin
        package var action: RuleAction
        package var isAudit: Bool
        package var tier: PolicyTier
        package var outcome: Outcome
    }

    package var verdict: Verdict
    /// At the source; nil if the source is no endpoint of this host.
    package var egress: Side?
    /// At the destination; nil if the destination is no endpoint of this host.
    package var ingress: Side?
    /// At the host's devices that it passes through, in the packet's order; empty if no policy is about that.
    package var passages: [Side] = []
}
