// SPDX-License-Identifier: Apache-2.0

package import IdentityModel
package import PolicyModel

/// Everything a compilation depends on.
package struct CompileInput: Sendable {
    package var subjects: [CompileSubject]
    /// Every identity that may be the other side of a rule.
    package var peers: [ResolvedIdentity]
    package var policies: [Policy]
    package var options: CompileOptions

    package init(
        subjects: [CompileSubject] = [], peers: [ResolvedIdentity] = [], policies: [Policy] = [],
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
    let kind: SubjectKind
    package var namedPorts: NamedPorts

    package init(
        slot: UInt16, identity: NumericIdentity, labels: LabelSet, isHost: Bool = false,
        namedPorts: NamedPorts = NamedPorts()
    ) {
        self.slot = slot
        self.identity = identity
        self.labels = labels
        self.isHost = isHost
        kind = SubjectKind(isHost: isHost, labels: labels)
        self.namedPorts = namedPorts
    }
}
