// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// What reaches one destination in one window of time, and what it answers.
///
/// Reported when a level is crossed, and at the end
/// of each window in which anything happened, so that baselines can be learnt.
package struct TargetActivity: Hashable, Sendable {
    package var target: IPAddress
    /// True for an address of this host or of a workload on it.
    package var isInside: Bool
    /// Nanoseconds: begin of the window (one second long), and the time of this report.
    package var since: UInt64
    package var time: UInt64
    /// True if the window is over and its counts are final.
    package var isWhole: Bool
    /// Packets and IP bytes of the window.
    package var packets: UInt64
    package var bytes: UInt64
    /// Packets of the window by kind.
    package var syn: UInt64
    /// Handshakes that were completed in the window.
    package var established: UInt64
    package var udp: UInt64
    /// Of these the datagrams of flows in which the target answered, before or within the window: a resolver's questions and
    /// a measurement's stream are here, a flood is not.
    package var udpAnswered: UInt64
    package var icmp: UInt64
    package var fragments: UInt64
    /// Datagrams from a reflector's port that nobody here asked for, and their bytes.
    package var reflected: UInt64
    package var reflectedBytes: UInt64
    /// TCP segments, other than SYN, that belong to no connection.
    package var strayTCP: UInt64
    /// Estimate of different sources in the window.
    package var distinctSources: UInt32
    /// Estimates over the last minutes: different ports probed, different sources that probed, probes that failed.
    package var distinctPorts: UInt32
    package var distinctProbers: UInt32
    package var failedProbes: UInt32
    /// The port that most SYNs or datagrams of the window went to, host order; 0 if none stands out.
    package var topPort: UInt16
    /// The reflectors' port that most reflected datagrams came from; 0 if none.
    package var reflectorPort: UInt16

    package init(target: IPAddress, isInside: Bool, since: UInt64, time: UInt64, isWhole: Bool) {
        self.target = target
        self.isInside = isInside
        self.since = since
        self.time = time
        self.isWhole = isWhole
        (self.packets, self.bytes, self.syn, self.established) = (0, 0, 0, 0)
        (self.udp, self.udpAnswered) = (0, 0)
        (self.icmp, self.fragments, self.reflected, self.reflectedBytes, self.strayTCP) = (0, 0, 0, 0, 0)
        (self.distinctSources, self.distinctPorts, self.distinctProbers, self.failedProbes) = (0, 0, 0, 0)
        (self.topPort, self.reflectorPort) = (0, 0)
    }
}
