// SPDX-License-Identifier: Apache-2.0
import NetworkModel

/// The programs, by what they see.
enum Hook: String, CaseIterable, Sendable {
    /// What the endpoint sends.
    case fromEndpoint = "tc_from_endpoint"
    /// What reaches the endpoint.
    case toEndpoint = "tc_to_endpoint"
    /// What reaches the host.
    case fromNetwork = "tc_from_network"
    /// What the host sends.
    case toNetwork = "tc_to_network"
    /// What a socket of the host sends.
    case fromSocket = "cgroup_egress"
    /// What a socket of the host receives.
    case toSocket = "cgroup_ingress"

    /// As seen from the endpoint.
    var direction: Direction {
        switch self {
        case .fromEndpoint, .toNetwork, .fromSocket: .egress
        case .toEndpoint, .fromNetwork, .toSocket: .ingress
        }
    }

    var isHost: Bool { self != .fromEndpoint && self != .toEndpoint }

    /// The workload's hook of a direction.
    init(_ direction: Direction) { self = direction == .egress ? .fromEndpoint : .toEndpoint }
}

extension Direction {
    var opposite: Direction { self == .egress ? .ingress : .egress }
}
