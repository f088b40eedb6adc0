// SPDX-License-Identifier: Apache-2.0

package import IdentityModel
package import NetworkModel

/// One flow event of the datapath as a typed value; a plain copy of the kernel's record, without names.
package struct FlowEvent: Hashable, Sendable {
    /// Nanoseconds of CLOCK_MONOTONIC.
    package var timestamp: UInt64
    package var source: IPAddress
    package var destination: IPAddress
    /// Bytes since the last report of this flow.
    package var bytes: UInt64
    /// Packets since the last report of this flow, this one included.
    package var packets: UInt32
    /// The endpoint's own identity.
    package var identity: NumericIdentity
    /// As found in the ipcache; may be a derived one.
    package var peerIdentity: NumericIdentity
    /// Slot of the policy subject.
    package var subject: UInt32
    /// Slot of the rule that decided.
    package var rule: UInt32
    /// Policy generation that judged the packet.
    package var generation: UInt32
    /// IP length of the packet in bytes.
    package var length: UInt32
    package var interfaceIndex: UInt32
    /// Host order; ICMP: the identifier of a request, else 0.
    package var sourcePort: UInt16
    /// Host order; ICMP: type << 8 | code.
    package var destinationPort: UInt16
    /// Number of the endpoint on this host.
    package var endpoint: UInt16
    /// Outermost VLAN id, 0 = none.
    package var vlan: UInt16
    package var verdict: Verdict
    package var reason: DropReason
    package var direction: Direction
    package var state: FlowState
    package var ipProtocol: IPProtocol
    /// 4 or 6; 0 for frames that are not IP.
    package var family: UInt8
    package var tcpFlags: UInt8

    /// A flow with only the fields that every event has; the rest starts at zero.
    package init(
        timestamp: UInt64, verdict: Verdict, reason: DropReason, direction: Direction, state: FlowState,
        ipProtocol: IPProtocol, source: IPAddress, destination: IPAddress
    ) {
        self.timestamp = timestamp
        self.verdict = verdict
        self.reason = reason
        self.direction = direction
        self.state = state
        self.ipProtocol = ipProtocol
        self.source = source
        self.destination = destination
        self.family = UInt8(source.family)
        self.bytes = 0
        self.packets = 0
        self.identity = .any
        self.peerIdentity = .any
        self.subject = 0
        self.rule = 0
        self.generation = 0
        self.length = 0
        self.interfaceIndex = 0
        self.sourcePort = 0
        self.destinationPort = 0
        self.endpoint = 0
        self.vlan = 0
        self.tcpFlags = 0
    }
}

extension FlowEvent {
    /// Rules from here on are feeds of the shield: this + the feed's number (`PREFILTER_RULE_FIRST`).
    package static let firstFeedRule: UInt32 = 65_536

    /// The peer's address: the destination of what the endpoint sends, the source of what reaches it.
    package var peerAddress: IPAddress { direction == .egress ? destination : source }

    /// The endpoint's own address.
    package var endpointAddress: IPAddress { direction == .egress ? source : destination }

    /// True for ICMP and ICMPv6, whose "destination port" holds type and code.
    package var isICMP: Bool { ipProtocol == .icmp || ipProtocol == .icmpv6 }
}
