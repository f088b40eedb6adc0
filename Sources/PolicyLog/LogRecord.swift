// SPDX-License-Identifier: Apache-2.0

import EventModel
import FlowAggregation
import IdentityModel
import NetworkModel
import PolicyModel

/// One line of the policy log, in the fields of GKE's Dataplane V2; `reason`, and ICMP's type and code, are ours.
struct LogRecord {
    let flow: Flow
    let disposition: LogSelection.Disposition
    let node: String
    /// RFC 3339.
    let timestamp: String
    /// Packets refused alike, of a denial; 1 for a connection that was let through.
    let count: UInt64

    /// JSON with a line feed.
    var line: [UInt8] {
        var json = JSONLine()
        json.object {
            $0.member("connection")
            $0.object(connection)
            $0.text("disposition", disposition.rawValue)
            if flow.event.reason != .none { $0.text("reason", flow.event.reason.name) }
            $0.member("policies")
            $0.array(flow.rule?.policies ?? []) { json, policy in
                json.object {
                    $0.text("kind", policy.kind)
                    if !policy.namespace.isEmpty { $0.text("namespace", policy.namespace) }
                    $0.text("name", policy.name)
                }
            }
            let isEgress = flow.event.direction == .egress
            let own = (flow.endpoint, flow.identity, flow.event.endpointAddress)
            let peer = (flow.peer, flow.peerIdentity, flow.event.peerAddress)
            $0.member("src")
            $0.object { side(&$0, isEgress ? own : peer) }
            $0.member("dest")
            $0.object { side(&$0, isEgress ? peer : own) }
            $0.number("count", count)
            $0.text("node_name", node)
            $0.text("timestamp", timestamp)
        }
        return json.bytes + [UInt8(ascii: "\n")]
    }

    private func connection(_ json: inout JSONLine) {
        let event = flow.event
        json.text("src_ip", event.source.description)
        json.text("dest_ip", event.destination.description)
        if event.ipProtocol.hasPorts {
            json.number("src_port", UInt64(event.sourcePort))
            json.number("dest_port", UInt64(event.destinationPort))
        }
        if event.isICMP {
            json.number("icmp_type", UInt64(event.destinationPort >> 8))
            json.number("icmp_code", UInt64(event.destinationPort & 0xff))
        }
        json.text("protocol", event.ipProtocol.description)
        json.text("direction", event.direction.description)
    }

    private func side(_ json: inout JSONLine, _ side: (name: EndpointName?, identity: ResolvedIdentity?, IPAddress)) {
        guard let name = side.name?.name else { return json.text("instance", side.2.description) }
        guard let namespace = side.identity?.namespace else { return json.text("pod_name", name) }
        let prefix = namespace + "/"
        json.text("pod_name", name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : name)
        json.text("pod_namespace", namespace)
        json.text("namespace", namespace)
    }
}

/// Says in the log that decisions are missing in it.
struct LogLoss {
    let count: UInt64
    let node: String
    let timestamp: String

    var line: [UInt8] {
        var json = JSONLine()
        json.object {
            $0.number("not_written", count)
            $0.text("node_name", node)
            $0.text("timestamp", timestamp)
        }
        return json.bytes + [UInt8(ascii: "\n")]
    }
}
