// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// What detectors have learnt of workloads over hours and days, for keeping while the agent is away.
///
/// Durations only, in nanoseconds: the clock of the activities begins anew with the machine.
package struct LearntState: Codable, Hashable, Sendable {
    /// Whom a workload talks to.
    package struct Peers: Codable, Hashable, Sendable {
        package var workload: IPAddress
        /// How long it was watched, and how long ago the last new peer came.
        package var watched: UInt64
        package var calm: UInt64
        /// It has more peers than are learnt.
        package var isOpen: Bool
        package var peers: [Peer]
    }

    /// An address, or outside the network of one, and a port.
    package struct Peer: Codable, Hashable, Sendable {
        package var address: IPAddress
        package var port: UInt16
    }

    /// How much a workload sends out, in bytes a window.
    package struct Volume: Codable, Hashable, Sendable {
        package var workload: IPAddress
        package var watched: UInt64
        package var mean: Double
        package var deviation: Double
        package var windows: UInt64
        package var most: Double
    }

    /// Workloads of which as much is kept, those that were seen last.
    package static let workloadsMax = 1024

    package var peers: [Peers] = []
    package var volumes: [Volume] = []

    package init() {}

    package var isEmpty: Bool { peers.isEmpty && volumes.isEmpty }

    /// False if it holds what no agent has written.
    package var isSound: Bool {
        let figures = volumes.flatMap { [$0.mean, $0.deviation, $0.most] }
        let durations = peers.flatMap { [$0.watched, $0.calm] } + volumes.map(\.watched)
        return peers.count <= LearntState.workloadsMax && volumes.count <= LearntState.workloadsMax
            && figures.allSatisfy { $0.isFinite && $0 >= 0 } && durations.allSatisfy { $0 < UInt64.max / 4 }
            && volumes.allSatisfy { $0.windows < UInt64.max / 4 }
    }
}
