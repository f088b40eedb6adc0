// SPDX-License-Identifier: Apache-2.0

package import IdentityModel
package import NetworkModel
package import PolicyModel

/// Everything a compilation depends on.
package struct CompileInput: Sendable {
    package var subjects: [CompileSubject]
    package var peers: [CompilePeer]
    package var policies: [Policy]
    package var options: CompileOptions

    package init(
        subjects: [CompileSubject] = [], peers: [CompilePeer] = [], policies: [Policy] = [],
        options: CompileOptions = CompileOptions()
    ) {
        self.subjects = subjects
        self.peers = peers
        self.policies = policies
        self.options = options
    }
}

/// Choices of the operator.
package struct CompileOptions: Hashable, Sendable {
    /// The host reaches its workloads unless a rule denies it.
    package var allowHost: Bool

    package init(allowHost: Bool = true) { self.allowHost = allowHost }
}

/// One policy subject: the local endpoints that have the same labels and named ports.
package struct CompileSubject: Hashable, Sendable {
    package var slot: UInt16
    package var identity: NumericIdentity
    package var labels: LabelSet
    /// The host itself: selected by `nodeSelector` policies only.
    package var isHost: Bool
    package var namedPorts: NamedPorts

    package init(
        slot: UInt16, identity: NumericIdentity, labels: LabelSet, isHost: Bool = false,
        namedPorts: NamedPorts = NamedPorts()
    ) {
        self.slot = slot
        self.identity = identity
        self.labels = labels
        self.isHost = isHost
        self.namedPorts = namedPorts
    }
}

/// One identity as the other side of a rule.
package struct CompilePeer: Hashable, Sendable {
    package var identity: NumericIdentity
    package var labels: LabelSet
    /// The prefix that all addresses of a prefix identity or a derived identity lie in; nil for all others.
    package var prefix: CIDR?
    /// A workload, or the host: matched by a prefix only where the prefix includes workloads.
    package var isWorkload: Bool
    package var namedPorts: NamedPorts

    package init(
        identity: NumericIdentity, labels: LabelSet, prefix: CIDR? = nil, isWorkload: Bool = false,
        namedPorts: NamedPorts = NamedPorts()
    ) {
        self.identity = identity
        self.labels = labels
        self.prefix = prefix
        self.isWorkload = isWorkload
        self.namedPorts = namedPorts
    }
}
