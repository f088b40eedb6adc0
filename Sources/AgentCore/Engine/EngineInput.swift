// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel

/// What the tables depend on, besides the workloads of other hosts, which the identities alone know.
struct EngineInput: Sendable {
    /// By key.
    var workloads: [String: Workload] = [:]
    var hostAddresses: [IPAddress] = []
    var hostLabels: [Label] = []
    var policies: [PolicyReference: Policy] = [:]
    /// What `policies` give endpoints; workloads have it already, the host's labels do not.
    var grants = EndpointGrants(of: [], node: "")
    /// Policies about each stage of the host.
    private var stageUsers: [HostStage: Int] = [:]
    /// Workloads of other hosts that are given something, by key, as they are without it.
    var givenRemotes: [String: RemoteWorkload] = [:]

    /// The stages of the host that policies are about.
    var stages: Set<HostStage> { Set(stageUsers.keys) }

    /// The same after a change.
    func stages(after delta: PolicyDelta) -> Set<HostStage> { Set(stageUsers(after: delta).keys) }

    private func stageUsers(after delta: PolicyDelta) -> [HostStage: Int] {
        var users = stageUsers
        for reference in delta.references {
            for stage in policies[reference]?.stages ?? [] { users[stage, default: 0] -= 1 }
            for stage in delta[reference]?.stages ?? [] { users[stage, default: 0] += 1 }
        }
        return users.filter { $0.value > 0 }
    }

    mutating func apply(_ change: EngineChange) {
        if let workloads = change.workloads { self.workloads = workloads }
        if let hostAddresses = change.hostAddresses { self.hostAddresses = hostAddresses }
        if let hostLabels = change.hostLabels { self.hostLabels = hostLabels }
        if let grants = change.grants { self.grants = grants }
        for key in change.givenRemotes.keys { givenRemotes[key] = change.givenRemotes[key] }
        stageUsers = stageUsers(after: change.policies)
        policies.apply(change.policies)
    }
}

/// How the input is to become another one; nil: as it is.
struct EngineChange: Sendable {
    /// All of them, by key.
    var workloads: [String: Workload]?
    var remotes = RemoteDelta()
    var hostAddresses: [IPAddress]?
    var hostLabels: [Label]?
    var policies = PolicyDelta()
    /// What all policies give endpoints; `PolicyEngine.granting` works it out.
    var grants: EndpointGrants?
    /// Of `EngineInput.givenRemotes`; worked out there too.
    var givenRemotes = RemoteDelta()
    /// True if it is worked out.
    var isGranted = false
}
