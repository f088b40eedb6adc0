// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// How one client uses one service: for guessing of passwords, beacons, volumes and first contacts.
package struct PairActivity: Hashable, Sendable {
    package var client: IPAddress
    package var server: IPAddress
    /// Host order.
    package var port: UInt16
    package var ipProtocol: IPProtocol
    package var isClientInside: Bool
    package var isServerInside: Bool
    /// Nanoseconds: the first connection remembered, and the time of this report.
    package var since: UInt64
    package var time: UInt64
    /// Connections opened since `since`; of these refused or unanswered, and closed within `shortMilliseconds` of opening.
    package var connections: UInt32
    package var failed: UInt32
    package var short: UInt32
    /// Connections opened within the last minute, an estimate.
    package var connectionsPerMinute: UInt32
    /// IP bytes from client to server and back since `since`.
    package var bytesSent: UInt64
    package var bytesReceived: UInt64
    /// Time between the openings of consecutive connections, microseconds: how many were measured, their mean, and their mean
    /// absolute deviation from it (exponential averages, weight 1/8).
    package var intervals: UInt32
    package var intervalMean: UInt64
    package var intervalDeviation: UInt64
    /// IP bytes the client sends in a connection: mean and mean absolute deviation, likewise.
    package var sizeMean: UInt32
    package var sizeDeviation: UInt32

    package init(
        client: IPAddress, server: IPAddress, port: UInt16, ipProtocol: IPProtocol, isClientInside: Bool,
        isServerInside: Bool, since: UInt64, time: UInt64
    ) {
        self.client = client
        self.server = server
        self.port = port
        self.ipProtocol = ipProtocol
        self.isClientInside = isClientInside
        self.isServerInside = isServerInside
        self.since = since
        self.time = time
        (self.connections, self.failed, self.short, self.connectionsPerMinute) = (0, 0, 0, 0)
        (self.bytesSent, self.bytesReceived) = (0, 0)
        (self.intervals, self.intervalMean, self.intervalDeviation) = (0, 0, 0)
        (self.sizeMean, self.sizeDeviation) = (0, 0)
    }
}
