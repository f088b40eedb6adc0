// SPDX-License-Identifier: Apache-2.0

import CDatapathABI
package import EventModel
import IdentityModel
import NetworkModel

extension FlowEvent {
    /// Decodes one record of the events ring buffer.
    ///
    /// Returns nil if the bytes are shorter than `struct flow_event`, are of another kind, or hold a verdict, reason,
    /// direction or state that this version does not know. The caller counts such records; nothing is allocated.
    @inline(__always)
    package init?(decoding bytes: RawSpan) {
        guard let record = loadRecord(flow_event.self, from: bytes), record.kind == UInt8(EVENT_FLOW),
            let verdict = Verdict(rawValue: record.verdict),
            let reason = DropReason(rawValue: record.reason),
            let direction = Direction(rawValue: record.direction),
            let state = FlowState(rawValue: record.conntrack)
        else { return nil }
        self.init(
            timestamp: record.timestamp, verdict: verdict, reason: reason, direction: direction, state: state,
            ipProtocol: IPProtocol(rawValue: record.protocol), source: IPAddress(record.source),
            destination: IPAddress(record.destination))
        family = record.family
        tcpFlags = record.tcp_flags
        sourcePort = UInt16(bigEndian: record.source_port)
        destinationPort = UInt16(bigEndian: record.destination_port)
        endpoint = record.endpoint
        vlan = record.vlan
        subject = record.subject
        identity = NumericIdentity(rawValue: record.identity)
        peerIdentity = NumericIdentity(rawValue: record.peer_identity)
        rule = record.rule
        generation = record.generation
        length = record.length
        interfaceIndex = record.ifindex
        packets = record.packets
        self.bytes = record.bytes
    }
}

extension IPAddress {
    /// Reads the 16 network-order bytes of a shared record.
    @inline(__always)
    fileprivate init(_ address: ip_address) {
        // Same size, and any bit pattern is a valid pair of integers.
        let words = unsafe unsafeBitCast(address, to: (UInt64, UInt64).self)
        self.init(high: UInt64(bigEndian: words.0), low: UInt64(bigEndian: words.1))
    }
}
