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

    mutating func apply(_ change: EngineChange) {
        if let workloads = change.workloads { self.workloads = workloads }
        if let hostAddresses = change.hostAddresses { self.hostAddresses = hostAddresses }
        if let hostLabels = change.hostLabels { self.hostLabels = hostLabels }
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
}
