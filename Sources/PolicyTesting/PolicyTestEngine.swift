// SPDX-License-Identifier: Apache-2.0

package import NetworkModel
package import PolicyModel
package import PolicyReading

/// What judges the probes of policy tests.
package protocol PolicyTestEngine: AnyObject {
    /// `model`, `kernel`.
    var name: String { get }

    /// Puts a node's policies in force; what is judged until the next call is judged by them.
    func load(_ view: ClusterView) throws

    /// What the policies of these ends say about a probe's first packet, in the order given.
    ///
    /// Nothing that was judged before plays a part.
    func judge(_ probe: PolicyTest.Probe, at ends: [ProbeEnd]) throws -> [ProbeOutcome.Side]
}

/// One end of a probe that is a workload of the cluster, or a host that it passes through.
package struct ProbeEnd: Hashable, Sendable {
    package var workload: PolicyTest.Workload
    /// Egress at the source, ingress at the destination; of a host that it passes through both.
    package var direction: Direction
    /// Of a host that the probe passes through: where it is judged.
    package var stage: HostStage?
    /// Of a node's own network: the packet comes from or goes to another node, or outside, over a device of the host.
    ///
    /// Between a node and its workloads it takes their link, within the node its loopback device: neither is judged for
    /// the host, and what runs there and is judged at its sockets meets its own policies alone.
    package var crossesHostDevice: Bool

    package init(
        workload: PolicyTest.Workload, direction: Direction, stage: HostStage? = nil, crossesHostDevice: Bool = true
    ) {
        self.workload = workload
        self.direction = direction
        self.stage = stage
        self.crossesHostDevice = crossesHostDevice
    }
}

extension PolicyTest.Probe {
    /// True if the addresses are of two families: nobody can send such a packet.
    package var isImpossible: Bool { source.address.isIPv4 != destination.address.isIPv4 }

    /// The ends whose policies are asked, and the devices of a host on the way between them, in the packet's order;
    /// none of what cannot be sent.
    func ends(among workloads: [PolicyTest.Workload]) -> [ProbeEnd] {
        guard !isImpossible else { return [] }
        func end(_ end: PolicyTest.End, _ direction: Direction) -> [ProbeEnd] {
            guard let workload = end.workload.map({ workloads[$0] }) else { return [] }
            let other = (direction == .egress ? destination : source).workload.map { workloads[$0] }
            let crosses = other?.node != workload.node
            // The host is judged at its devices; services of it at their sockets, wherever the packet goes.
            guard crosses || !workload.isHostNetwork || workload.isService else { return [] }
            return [ProbeEnd(workload: workload, direction: direction, crossesHostDevice: crosses)]
        }
        func device(_ end: PolicyTest.End, _ direction: Direction) -> [ProbeEnd] {
            guard let host = through.map({ workloads[$0] }), end.workload.map({ workloads[$0].node }) != host.node
            else { return [] }
            return [ProbeEnd(workload: host, direction: direction, stage: .forward)]
        }
        return end(source, .egress) + device(source, .ingress) + device(destination, .egress)
            + end(destination, .ingress)
    }

    /// What the other end's address is.
    package func peer(of direction: Direction) -> IPAddress {
        direction == .egress ? destination.address : source.address
    }

    /// The destination's port, or the ICMP type and code; nil: the protocol has neither.
    var detail: UInt16? { proto.hasPorts || proto == .icmp || proto == .icmpv6 ? port : nil }

    /// The request that this ICMP type answers; nil if it answers none.
    ///
    /// A reply that nobody asked for is judged as the exchange that its request would have opened from the other side,
    /// so that neither a rule nor a scanner can use replies where requests are closed.
    var answeredICMPType: UInt8? {
        switch (proto, port >> 8) {
        case (.icmp, 0): 8
        case (.icmp, 14): 13
        case (.icmpv6, 129): 128
        default: nil
        }
    }
}
