// SPDX-License-Identifier: Apache-2.0

package import IdentityModel

/// A place at the host's devices where packets are judged apart from the host's own connections.
///
/// Each is a policy subject of its own: it has the host's labels and, to tell it from the host, its marker.
package enum HostStage: String, Hashable, Sendable, CaseIterable {
    /// What only passes through: ingress where it comes in, egress where it leaves.
    case forward
    /// Everything, the host's own and what passes through, packet by packet and before flows are known.
    case untracked

    /// Whose traffic is judged here, in words.
    package var title: String {
        switch self {
        case .forward: "what passes through the host"
        case .untracked: "packets at the host's devices"
        }
    }

    /// No document can name it: the key of a label there has no colon.
    package var marker: Label { Label(source: LabelSource.reserved, key: "stage:\(rawValue)") }

    /// The stage that a subject with these labels is; nil: it is none.
    package init?(_ labels: LabelSet) {
        let found = HostStage.allCases.first { labels.labels.contains($0.marker) }
        guard let found else { return nil }
        self = found
    }
}

/// What a policy's subject is: policies for one kind say nothing about another.
package enum SubjectKind: Hashable, Sendable {
    case workload
    /// The host's own connections, at its devices or at the sockets of a service.
    case host
    case stage(HostStage)

    package init(isHost: Bool, labels: LabelSet) {
        self = isHost ? HostStage(labels).map(SubjectKind.stage) ?? .host : .workload
    }
}

extension SubjectSelector {
    package var kind: SubjectKind {
        switch self {
        case .endpoints: .workload
        case .hosts: .host
        case .stage(let stage, _): .stage(stage)
        }
    }

    package var labels: LabelSelector {
        switch self {
        case .endpoints(let selector), .hosts(let selector), .stage(_, let selector): selector
        }
    }
}

extension Policy {
    /// The stages of the host that the policy is about.
    package var stages: Set<HostStage> {
        var found: Set<HostStage> = []
        for subject in rules.lazy.map(\.subject) { if case .stage(let stage, _) = subject { found.insert(stage) } }
        for closed in defaultDeny { if case .stage(let stage, _) = closed.subject { found.insert(stage) } }
        return found
    }
}

extension Sequence<Policy> {
    /// The stages of the host that any of the policies is about.
    package var stages: Set<HostStage> { reduce(into: []) { $0.formUnion($1.stages) } }
}
