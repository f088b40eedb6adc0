// SPDX-License-Identifier: Apache-2.0

import EventModel
import FlowAggregation
import IdentityModel
import NetworkModel
import PolicyModel

/// A pod `shop/web` that talks to, and hears from, `shop/db` and an address outside.
enum Scene {
    static let web = IPAddress(v4: 0x0a01_0001)
    static let database = IPAddress(v4: 0x0a01_0002)
    static let outside = IPAddress(v4: 0xc000_0201)
    static let policy = PolicyReference(kind: "NetworkPolicy", namespace: "shop", name: "web")

    static var names: FlowNames {
        var names = FlowNames()
        let endpoint = EndpointName(number: 1, name: "shop/web")
        names.setEndpoint(endpoint, addresses: [web])
        names.setRemote(key: "kubernetes/shop/db", addresses: [database])
        for (number, app) in [(UInt32(256), "web"), (257, "db")] {
            let labels = LabelSet([
                Label(source: LabelSource.kubernetes, key: "app", value: app),
                Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: "shop"),
            ])
            names.setIdentity(ResolvedIdentity(identity: NumericIdentity(rawValue: number), labels: labels))
        }
        names.setRule(RuleName(slot: 16, text: "a rule", source: nil, policies: [policy]))
        return names
    }

    static func flow(
        _ verdict: Verdict = .allow, state: FlowState = .new, from peer: IPAddress = database, port: UInt16 = 443,
        sourcePort: UInt16 = 50_000, rule: UInt32 = 16, packets: UInt32 = 0, sequence: UInt64 = 1
    ) -> Flow {
        var event = FlowEvent(
            timestamp: 0, verdict: verdict, reason: verdict == .deny ? .policyDefaultDeny : .none,
            direction: .ingress, state: state, ipProtocol: .tcp, source: peer, destination: web)
        event.endpoint = 1
        event.identity = NumericIdentity(rawValue: 256)
        event.peerIdentity = peer == database ? NumericIdentity(rawValue: 257) : .world
        event.rule = rule
        event.sourcePort = sourcePort
        event.destinationPort = port
        event.packets = packets
        return Flow(event, sequence: sequence, time: Int64(sequence), names: names)
    }

    static func logged(_ isLogged: Bool = true) -> Policy {
        var made = Policy(
            reference: policy, source: SourceLocation(file: "p", line: 1, column: 1), rules: [], defaultDeny: [])
        made.isLogged = isLogged
        return made
    }
}
