// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EventModel
import FlowAggregation
import IdentityAllocation
import IdentityModel
import KernelDatapath
import NetworkModel
import PolicyCompiler
import PolicyModel

extension AgentState {
    func dump(_ map: MapName, limit: Int) async throws(APIError) -> MapDump {
        let (columns, rows): ([String], [[String]])
        do {
            (columns, rows) =
                switch map {
                case .policy: (["subject", "direction", "peer", "port", "verdict"], policyRows())
                case .ipcache: (["prefix", "identity", "labels"], ipcacheRows())
                case .conntrack:
                    (
                        [
                            "endpoint", "opened", "protocol", "local", "remote", "state", "packets", "bytes", "idle",
                            "rule",
                        ],
                        try conntrackRows()
                    )
                case .endpoints:
                    (["interface", "endpoint", "name", "subject", "identity", "addresses", "options"], endpointRows())
                case .subjects: (["subject", "ingress", "egress", "labels"], subjectRows())
                case .metrics: (["metric", "direction", "packets", "bytes"], try metricRows())
                case .names: (["endpoint", "name", "address", "expires", "rules"], try nameRows())
                case .rules: (["slot", "ingress packets", "egress packets", "rule", "source"], try ruleRows())
                }
        } catch {
            throw APIError(.commitFailed, "\(error)")
        }
        return MapDump(
            name: map.rawValue, columns: columns, rows: Array(rows.prefix(limit)), isTruncated: rows.count > limit)
    }

    private func policyRows() -> [[String]] {
        let state = engine.completeState()
        return state.policy.sorted { $0.key < $1.key }.map { key, value in
            // The line is `<key> -> <verdict>`; the key has columns of its own.
            let verdict = state.line(key, value).dropFirst(key.text.count + 4)
            return [
                SubjectStage.name(of: key.subject), "\(key.direction)", MapState.peerText(key.peer), key.portText,
                String(verdict),
            ]
        }
    }

    private func ipcacheRows() -> [[String]] {
        engine.allocator.mappings.sorted { $0.key < $1.key }.map { prefix, identity in
            let labels = engine.allocator.records[identity]?.labels.labels.map(\.description) ?? []
            return [prefix.description, MapState.peerText(identity), labels.joined(separator: ",")]
        }
    }

    private func nameRows() throws -> [[String]] {
        try nameRecords().map { record in
            [
                record.endpoint, record.name, record.address,
                record.secondsLeft > 0 ? "\(record.secondsLeft)s" : "over",
                record.rules.isEmpty ? "-" : record.rules.joined(separator: ", "),
            ]
        }
    }

    private func conntrackRows() throws -> [[String]] {
        try datapath.conntrackFlows(of: nil).map { flow in
            [
                names.endpoint(flow.endpoint)?.name ?? String(flow.endpoint), "\(flow.direction)", "\(flow.proto)",
                endText(flow.local, flow.localPort, flow.proto), endText(flow.remote, flow.remotePort, flow.proto),
                "\(flow.state)" + (flow.isDenied ? " denied" : flow.isAudited ? " audited" : ""),
                "\(flow.sent.packets)/\(flow.received.packets)", "\(flow.sent.bytes)/\(flow.received.bytes)",
                "\(flow.idle.components.seconds)s", names.rule(flow.rule)?.text ?? String(flow.rule),
            ]
        }.sorted { $0.lexicographicallyPrecedes($1) }
    }

    private func endText(_ address: IPAddress, _ port: UInt16, _ proto: IPProtocol) -> String {
        guard proto.hasPorts else { return "\(address)" }
        return address.isIPv4 ? "\(address):\(port)" : "[\(address)]:\(port)"
    }

    private func endpointRows() -> [[String]] {
        datapath.endpoints().map { endpoint in
            let options: [(EndpointOptions, String)] = [
                (.audit, "audit"), (.host, "host"), (.noSourceCheck, "no-source-check"),
                (.noLinkLayer, "no-link-layer"),
            ]
            return [
                String(endpoint.interface), String(endpoint.number), names.endpoint(endpoint.number)?.name ?? "",
                String(endpoint.subject), String(endpoint.identity.rawValue),
                endpoint.addresses.sorted().map(\.description).joined(separator: ","),
                options.filter { endpoint.options.contains($0.0) }.map(\.1).joined(separator: ","),
            ]
        }
    }

    private func subjectRows() -> [[String]] {
        let state = engine.completeState()
        return engine.allocator.subjects.sorted { $0.key < $1.key }.map { slot, key in
            // Closed in any of its tiers.
            let tiers = SubjectStage.slots(chain: state.subjects[slot]?.chain ?? 0, of: slot).map {
                state.subjects[$0] ?? .open
            }
            let sides = [Direction.ingress, .egress].map { direction -> String in
                let side = Int(direction.rawValue)
                if tiers.contains(where: { $0.defaultDeny[side] }) { return "default deny" }
                return tiers.contains { $0.defaultDenyAll[side] } ? "audit" : "open"
            }
            return [String(slot)] + sides + [key.labels.labels.map(\.description).joined(separator: ",")]
        }
    }

    private func metricRows() throws -> [[String]] {
        let metrics = try datapath.metrics()
        var rows: [[String]] = []
        for (reason, directions) in metrics.dropped.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            for (direction, traffic) in directions.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
                rows.append(["dropped " + reason.name, "\(direction)", "\(traffic.packets)", "\(traffic.bytes)"])
            }
        }
        let counts: [(String, UInt64)] = [
            ("audited", metrics.audited.packets), ("link layer", metrics.linkLayer.packets),
            ("events written", metrics.eventsWritten), ("events lost", metrics.eventsLost),
            ("flows created", metrics.flowsCreated), ("flows expired", metrics.flowsExpired),
            ("flows refused", metrics.flowsRefused), ("flows judged again", metrics.flowsReevaluated),
            ("flows revoked", metrics.flowsRevoked), ("fragments tracked", metrics.fragmentsTracked),
            ("DNS questions noted", metrics.names.questions), ("DNS answers believed", metrics.names.answers),
            ("DNS answers not asked for", metrics.names.unasked), ("DNS answers forged", metrics.names.forged),
            ("DNS answers malformed", metrics.names.malformed),
            ("DNS answers not read", metrics.names.unread), ("DNS addresses learnt", metrics.names.learnt),
            ("DNS addresses forbidden", metrics.names.forbidden), ("DNS numbers without room", metrics.names.crowded),
            ("DNS addresses without memory", metrics.names.withoutMemory),
        ]
        return rows + counts.map { [$0.0, "", "\($0.1)", ""] }
    }

    private func ruleRows() throws -> [[String]] {
        let descriptions = engine.registry.descriptions
        let traffic = try datapath.ruleTraffic(Array(descriptions.keys))
        return descriptions.sorted { $0.key < $1.key }.map { slot, description in
            let counted = traffic[slot] ?? RuleTraffic()
            return [
                String(slot), "\(counted.ingress.packets)", "\(counted.egress.packets)", description.nameText,
                description.source?.text ?? "",
            ]
        }
    }
}
