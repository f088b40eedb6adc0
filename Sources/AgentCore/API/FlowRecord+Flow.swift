// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EventModel
import FlowAggregation
import IdentityModel
import LinuxHost
import NetworkModel
import PolicyModel

extension FlowRecord {
    /// A flow with its numbers turned into text.
    ///
    /// `peerNames`: what DNS calls the endpoint's peer.
    init(_ flow: Flow, peerNames: [DomainName] = []) {
        let event = flow.event
        let isEgress = event.direction == .egress
        let own = FlowSide(
            address: event.endpointAddress.description, port: FlowRecord.port(event, isSource: isEgress),
            endpoint: flow.endpoint?.name, identity: event.identity.rawValue,
            labels: flow.identity?.labels.labels.map(\.description) ?? [])
        var peer = FlowSide(
            address: event.peerAddress.description, port: FlowRecord.port(event, isSource: !isEgress),
            endpoint: flow.peer?.name, identity: event.peerIdentity.rawValue,
            labels: flow.peerIdentity?.labels.labels.map(\.description) ?? [])
        if !peerNames.isEmpty { peer.names = peerNames.map(\.description) }
        self.init(
            sequence: flow.sequence, time: Timestamp.text(nanoseconds: flow.time), verdict: event.verdict.name,
            reason: event.reason == .none ? nil : event.reason.name, direction: event.direction.description,
            endpoint: flow.endpoint?.name ?? String(event.endpoint), protocol: FlowRecord.protocolName(event),
            source: isEgress ? own : peer, destination: isEgress ? peer : own, state: event.state.name,
            rule: flow.rule?.text ?? FlowRecord.unnamedCause(event),
            ruleSource: flow.rule?.source?.text, packets: event.packets, bytes: event.bytes,
            generation: event.generation)
        if event.isICMP {
            icmpType = UInt8(event.destinationPort >> 8)
            icmpCode = UInt8(event.destinationPort & 0xff)
        }
        if event.ipProtocol == .tcp { tcpFlags = FlowRecord.flagNames(event.tcpFlags) }
        vlan = event.vlan == 0 ? nil : event.vlan
    }

    /// A packet can be dropped for what it is: nobody asked the policies then.
    private static func unnamedCause(_ event: FlowEvent) -> String {
        guard event.rule == 0 else { return "rule \(event.rule)" }
        return event.reason == .none ? "no policy" : event.reason.explanation
    }

    private static func port(_ event: FlowEvent, isSource: Bool) -> UInt16? {
        guard event.ipProtocol.hasPorts else { return nil }
        return isSource ? event.sourcePort : event.destinationPort
    }

    private static func protocolName(_ event: FlowEvent) -> String {
        guard event.family == 0, event.ipProtocol.rawValue == 0 else { return event.ipProtocol.description }
        switch event.destinationPort {
        case 0x0806: return "arp"
        case 0x8100, 0x88a8: return "vlan"
        default: return "ethertype-0x" + String(event.destinationPort, radix: 16)
        }
    }

    private static func flagNames(_ flags: UInt8) -> String {
        let names = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"]
        return names.indices.filter { flags & (1 << $0) != 0 }.map { names[$0] }.joined(separator: ",")
    }
}
