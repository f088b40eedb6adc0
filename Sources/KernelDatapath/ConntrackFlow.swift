// SPDX-License-Identifier: Apache-2.0
import CDatapathABI
package import EventModel
package import IdentityModel
package import NetworkModel

/// One tracked flow, seen from its endpoint.
package struct ConntrackFlow: Hashable, Sendable {
    package var endpoint: UInt16
    package var local: IPAddress
    package var remote: IPAddress
    /// Host order; ICMP: see `struct conntrack_key`.
    package var localPort: UInt16
    /// Host order; ICMP requests: the identifier; other ICMP: type and code.
    package var remotePort: UInt16
    package var proto: IPProtocol
    package var state: ConntrackState
    /// Which way the first packet went.
    package var direction: Direction
    package var peerIdentity: NumericIdentity
    /// Slot of the rule that decided.
    package var rule: UInt32
    /// The reason that audit mode overruled; `none` otherwise.
    package var reason: DropReason
    /// Revoked, but somebody still sends: both directions are cut.
    package var isDenied: Bool
    package var isAudited: Bool
    /// From the side that opened the flow.
    package var sent: Traffic
    /// From the other side.
    package var received: Traffic
    /// Since the flow was opened.
    package var age: Duration
    /// Since its last packet.
    package var idle: Duration
}

/// State of a tracked flow; raw values are `CONNTRACK_*`.
package enum ConntrackState: UInt8, Hashable, Sendable, CaseIterable {
    case synSent = 0
    case synReceived = 1
    case established = 2
    case closing = 3
    case closed = 4
    case unreplied = 5
    case replied = 6
    case icmp = 7
    case sctpEstablished = 8
    case sctpClosed = 9
    case pickedUp = 10
    case reset = 11
}

extension ConntrackFlow {
    /// Decodes an entry; nil if it holds a state or reason this version does not know.
    ///
    /// `now` is in jiffies.
    init?(_ key: conntrack_key, _ entry: conntrack_entry, now: UInt32, ticksPerSecond: UInt32) {
        guard let state = ConntrackState(rawValue: entry.state), let reason = DropReason(rawValue: entry.reason) else {
            return nil
        }
        let elapsed = { (then: UInt32) in
            Duration.milliseconds(Int64(max(0, Int32(bitPattern: now &- then))) * 1000 / Int64(ticksPerSecond))
        }
        let has = { (flag: Int) in Int(entry.flags) & flag != 0 }
        self.init(
            endpoint: key.endpoint, local: IPAddress(key.local), remote: IPAddress(key.remote),
            localPort: UInt16(bigEndian: key.local_port), remotePort: UInt16(bigEndian: key.remote_port),
            proto: IPProtocol(rawValue: key.protocol), state: state,
            direction: has(CONNTRACK_OPENED_INGRESS) ? .ingress : .egress,
            peerIdentity: NumericIdentity(rawValue: entry.peer_identity), rule: entry.rule, reason: reason,
            isDenied: has(CONNTRACK_DENIED), isAudited: has(CONNTRACK_AUDITED),
            sent: Traffic(packets: entry.packets.0, bytes: entry.bytes.0),
            received: Traffic(packets: entry.packets.1, bytes: entry.bytes.1),
            age: elapsed(entry.created), idle: elapsed(entry.last_seen))
    }
}
