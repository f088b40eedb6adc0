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
    /// Workloads of other hosts that are given something, by key, as they are without it.
    var givenRemotes: [String: RemoteWorkload] = [:]

    mutating func apply(_ change: EngineChange) {
        if let workloads = change.workloads { self.workloads = workloads }
        if let hostAddresses = change.hostAddresses { self.hostAddresses = hostAddresses }
        if let hostLabels = change.hostLabels { self.hostLabels = hostLabels }
        if let grants = change.grants { self.grants = grants }
        for key in change.givenRemotes.keys { givenRemotes[key] = change.givenRemotes[key] }
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
