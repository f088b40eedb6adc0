// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// What detectors have learnt over minutes, hours and days, for keeping while the agent is away.
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

    /// What a detector of floods takes for usual at a target, in events a window.
    package struct Flood: Codable, Hashable, Sendable {
        package var detector: String
        package var target: IPAddress
        package var mean: Double
        package var deviation: Double
        package var windows: UInt64
    }

    /// Workloads of which as much is kept, those that were seen last; and as many targets by each detector of floods.
    package static let workloadsMax = 1024
    private static let floodsMax = 16 * workloadsMax

    package var peers: [Peers] = []
    package var volumes: [Volume] = []
    package var floods: [Flood] = []

    package init() {}

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        peers = try container.decode([Peers].self, forKey: .peers)
        volumes = try container.decode([Volume].self, forKey: .volumes)
        // Agents before did not keep them.
        floods = try container.decodeIfPresent([Flood].self, forKey: .floods) ?? []
    }

    package var isEmpty: Bool { peers.isEmpty && volumes.isEmpty && floods.isEmpty }

    /// False if it holds what no agent has written.
    package var isSound: Bool {
        let figures =
            volumes.flatMap { [$0.mean, $0.deviation, $0.most] } + floods.flatMap { [$0.mean, $0.deviation] }
        let durations = peers.flatMap { [$0.watched, $0.calm] } + volumes.map(\.watched)
        return peers.count <= LearntState.workloadsMax && volumes.count <= LearntState.workloadsMax
            && figures.allSatisfy { $0.isFinite && $0 >= 0 } && durations.allSatisfy { $0 < UInt64.max / 4 }
            && floods.count <= LearntState.floodsMax
            && (volumes.map(\.windows) + floods.map(\.windows)).allSatisfy { $0 < UInt64.max / 4 }
    }
}
