// SPDX-License-Identifier: Apache-2.0

import ControlAPI

/// Endpoints, identities, policies and map dumps for people.
enum ListRendering {
    static func lines(_ endpoints: [EndpointRecord]) -> [String] {
        var table = TextTable([
            "ID", "NAME", "IDENTITY", "INGRESS", "EGRESS", "STATE", "INTERFACE", "ADDRESSES", "LABELS",
        ])
        for endpoint in endpoints {
            table.add([
                String(endpoint.id), endpoint.name, String(endpoint.identity), endpoint.ingress.rawValue,
                endpoint.egress.rawValue, state(endpoint), endpoint.interface,
                endpoint.addresses.joined(separator: ","), endpoint.labels.joined(separator: ","),
            ])
        }
        let problems = endpoints.compactMap { endpoint in
            endpoint.problem.map { "\(endpoint.name): \($0)" }
        }
        return table.lines(none: "no endpoints: start a container or name a workload in the workloads file")
            + (problems.isEmpty ? [] : ["", "Problems"] + problems.map { "  \($0)" })
    }

    static func lines(_ endpoint: EndpointRecord) -> [String] {
        var lines = [
            "\(endpoint.name) (endpoint \(endpoint.id), \(endpoint.source))",
            "  state      \(state(endpoint))",
            "  interface  \(endpoint.interface) (index \(endpoint.interfaceIndex))",
            "  addresses  \(endpoint.addresses.joined(separator: ", "))",
            "  identity   \(endpoint.identity)",
            "  ingress    \(endpoint.ingress.rawValue)",
            "  egress     \(endpoint.egress.rawValue)",
            "  labels     \(endpoint.labels.first ?? "")",
        ]
        lines += endpoint.labels.dropFirst().map { "             \($0)" }
        for (key, value) in endpoint.details.sorted(by: { $0.key < $1.key }) {
            lines.append("  \(key)" + String(repeating: " ", count: max(1, 11 - key.count)) + value)
        }
        if let problem = endpoint.problem { lines.append("  problem    \(problem)") }
        return lines
    }

    static func lines(_ identities: [IdentityRecord]) -> [String] {
        var table = TextTable(["ID", "SCOPE", "LABELS", "PREFIX", "ENDPOINTS"])
        for identity in identities {
            table.add([
                String(identity.id), identity.scope, identity.labels.joined(separator: ","), identity.prefix ?? "",
                identity.endpoints.joined(separator: ","),
            ])
        }
        return table.lines(none: "no identities")
    }

    static func lines(_ policies: [PolicyRecord]) -> [String] {
        let areShared = policies.contains { $0.appliedBy != nil }
        var table = TextTable(
            ["POLICY", "RULES", "MODE", "ENDPOINTS", "ORIGIN", "SOURCE"] + (areShared ? ["APPLIED"] : []))
        for policy in policies {
            let row = [
                policy.text, String(policy.rules), mode(policy), String(policy.endpoints.count),
                policy.origin, policy.source,
            ]
            table.add(row + (areShared ? [applied(policy) ?? "-"] : []))
        }
        return table.lines(none: "no policies: everything is open; apply one with `bulkhead policy apply -f FILE`")
    }

    static func lines(_ policy: PolicyRecord) -> [String] {
        var lines = [
            policy.text, "  source     \(policy.source) (\(policy.origin))",
            "  mode       \(mode(policy))", "  rules      \(policy.rules)",
            "  endpoints  \(policy.endpoints.isEmpty ? "none" : policy.endpoints.joined(separator: ", "))",
        ]
        if let applied = applied(policy) { lines.append("  applied    \(applied)") }
        lines += (policy.warnings ?? []).map { "  \($0.text)" }
        if let document = policy.document {
            let text = document.hasSuffix("\n") ? String(document.dropLast()) : document
            lines += [""] + text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        }
        return lines
    }

    /// When, and by whom on which node.
    private static func applied(_ policy: PolicyRecord) -> String? {
        policy.appliedBy.map { "\(policy.appliedAt ?? "-") by \($0)" }
    }

    private static func mode(_ policy: PolicyRecord) -> String {
        let mode = policy.audit ? "audit" : "enforce"
        guard let end = policy.validUntil else { return mode }
        return policy.isLapsed == true ? "out of force since \(end)" : "\(mode) until \(end)"
    }

    static func lines(_ dump: MapDump) -> [String] {
        var table = TextTable(dump.columns.map { $0.uppercased() })
        for row in dump.rows { table.add(row) }
        let note = dump.isTruncated ? ["… more rows: raise --limit"] : []
        return table.lines(none: "the map is empty") + note
    }

    static func lines(_ report: NameReport) -> [String] {
        var table = TextTable(["ENDPOINT", "NAME", "ADDRESS", "EXPIRES", "RULES"])
        for record in report.names {
            table.add([
                record.endpoint, record.name, record.address,
                record.secondsLeft > 0 ? "\(record.secondsLeft)s" : "over",
                record.rules.isEmpty ? "-" : record.rules.joined(separator: ", "),
            ])
        }
        let more = report.total - report.names.count
        return table.lines(
            none: report.resolvers.isEmpty
                ? "no names: `dns.resolvers` of the agent's configuration is empty, so no answer is read"
                : "no names: no answer of \(report.resolvers.joined(separator: ", ")) was read that is meant")
            + (more > 0 ? ["… \(more) more rows: raise --limit"] : [])
    }

    private static func state(_ endpoint: EndpointRecord) -> String {
        endpoint.condition.rawValue + (endpoint.audit ? " (audit)" : "")
    }
}
