// SPDX-License-Identifier: Apache-2.0

package import IdentityModel
package import NetworkModel

/// One ingress or egress statement of a policy, free of its dialect: what every document is lowered to.
package struct PolicyRule: Hashable, Sendable {
    package var origin: RuleOrigin
    /// Which endpoints the rule speaks for.
    package var subject: SubjectSelector
    package var direction: Direction
    package var action: RuleAction
    package var peers: PeerSelection
    package var ports: PortSelection
    /// True: reported but not enforced (per-policy audit mode).
    package var isAudit: Bool

    package init(
        origin: RuleOrigin, subject: SubjectSelector, direction: Direction, action: RuleAction = .allow,
        peers: PeerSelection = .any, ports: PortSelection = .all, isAudit: Bool = false
    ) {
        self.origin = origin
        self.subject = subject
        self.direction = direction
        self.action = action
        self.peers = peers
        self.ports = ports
        self.isAudit = isAudit
    }
}

package enum RuleAction: UInt8, Hashable, Sendable {
    case allow
    case deny
    /// Leave the decision to the next tier.
    case pass
}

/// Which endpoints a policy is about.
package enum SubjectSelector: Hashable, Sendable {
    /// Workload endpoints whose labels match (a namespaced policy has its namespace as a requirement).
    case endpoints(LabelSelector)
    /// Host endpoints (`nodeSelector`): the host's own labels are matched.
    case hosts(LabelSelector)
    /// The same hosts, at a stage that is judged apart.
    case stage(HostStage, LabelSelector)
}

/// The other side of a rule.
package enum PeerSelection: Hashable, Sendable {
    /// Everything: cluster, host and world.
    case any
    /// One of these. Empty: nothing.
    case some([PeerSelector])
}

package enum PeerSelector: Hashable, Sendable {
    /// Identities whose labels match (workloads and reserved ones).
    case labels(LabelSelector)
    /// Addresses inside `prefix` and outside every `except`.
    /// `includesWorkloads`: also addresses of local workloads (NetworkPolicy `ipBlock`), else only peers outside (Cilium).
    case prefix(CIDR, except: [CIDR], includesWorkloads: Bool)
    /// Addresses inside groups of prefixes whose labels match.
    case group(LabelSelector)
    /// Addresses outside that DNS gave the endpoint for such a name; of egress rules only.
    case name(NameSelector)
    /// Addresses outside that DNS gave the endpoint for a name of groups whose labels match; of egress rules only.
    case groupNames(LabelSelector)
    /// What is selected and meets a condition too.
    indirect case narrowed(PeerSelector, PeerCondition)
}

/// Which ports and protocols a rule covers.
package enum PortSelection: Hashable, Sendable {
    /// All protocols, all ports.
    case all
    /// One of these. Empty: nothing.
    case some([PortMatch])
}

package enum PortMatch: Hashable, Sendable {
    /// A closed range of destination ports; 0...65535 = every port of the protocol (also later fragments). ICMP: of
    /// `type << 8 | code`.
    case range(IPProtocol, ClosedRange<UInt16>)
    /// A named port of the destination: on ingress of the subject itself, on egress of each peer, also
    /// where the rule is for any peer. Peers outside have no names.
    case named(IPProtocol, String)
    /// An ICMP (or ICMPv6) type with every code; nil = every type. Single codes are a `range` of `type << 8 | code`.
    case icmpType(IPProtocol, UInt8?)
    /// A protocol without ports.
    case wholeProtocol(IPProtocol)
    /// The ports of the services that stand before each peer; on egress only.
    case ofServices(ServicePortSelector)
    /// Ports without others, at each destination by its own names, as with `named`.
    case without(PortDifference)
}

extension PolicyRule {
    /// The same without what it means by names of groups.
    package var withoutGroupNames: PolicyRule {
        var rule = self
        rule.peers = peers.withoutGroupNames
        return rule
    }
}

extension PeerSelection {
    /// Without what it means by names of groups.
    package var withoutGroupNames: PeerSelection {
        guard case .some(let selectors) = self else { return self }
        return .some(selectors.filter { if case .groupNames = $0 { false } else { true } })
    }
}

extension PeerSelector {
    /// The name or pattern by which it selects; nil: it selects otherwise.
    package var domainName: NameSelector? {
        switch self {
        case .name(let name): name
        case .narrowed(let selector, _): selector.domainName
        case .labels, .prefix, .group, .groupNames: nil
        }
    }
}
