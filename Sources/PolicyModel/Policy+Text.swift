// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel

extension Policy {
    /// What the policy means after lowering, the same for the same meaning: `policy get` prints it, tests compare it.
    package var text: String {
        var lines = ["\(reference.text)\(isAudit ? " (audit)" : "")"]
        if tier != .normal { lines.append("  \(tier.name) tier, \(order)") }
        for closed in defaultDeny { lines.append("  default deny \(closed.direction) of \(closed.subject)") }
        for rule in rules { lines.append("  \(rule.text)") }
        return lines.joined(separator: "\n")
    }
}

extension PolicyRule {
    /// `ingress[0]: allow endpoints any:app=web from any:app=api on tcp/80`.
    package var text: String {
        let toward = direction == .ingress ? "from" : "to"
        return "\(origin.section)[\(origin.index)]: \(action) \(subject) \(toward) \(peers) on \(ports)"
    }
}

extension PolicyOrder: CustomStringConvertible {
    /// `all rules together`, `priority 10`, `behind every priority`.
    package var description: String {
        switch self {
        case .together: "all rules together"
        case .priority(PolicyOrder.lastPriority): "behind every priority"
        case .priority(let priority): "priority \(priority)"
        }
    }
}

extension RuleAction: CustomStringConvertible {
    package var description: String {
        switch self {
        case .allow: "allow"
        case .deny: "deny"
        case .pass: "pass"
        }
    }
}

extension SubjectSelector: CustomStringConvertible {
    package var description: String {
        switch self {
        case .endpoints(let selector): "endpoints \(selector)"
        case .hosts(let selector): "hosts \(selector)"
        }
    }
}

extension PeerSelection: CustomStringConvertible {
    package var description: String {
        switch self {
        case .any: "any"
        case .some(let peers): peers.isEmpty ? "nothing" : peers.map(\.description).joined(separator: " | ")
        }
    }
}

extension PeerSelector: CustomStringConvertible {
    package var description: String {
        switch self {
        case .labels(let selector): selector.description
        case .prefix(let prefix, let exceptions, let includesWorkloads):
            prefix.description
                + (exceptions.isEmpty ? "" : " except " + exceptions.map(\.description).joined(separator: ","))
                + (includesWorkloads ? " with workloads" : "")
        }
    }
}

extension PortSelection: CustomStringConvertible {
    package var description: String {
        switch self {
        case .all: "all"
        case .some(let ports): ports.isEmpty ? "nothing" : ports.map(\.description).joined(separator: ",")
        }
    }
}

extension PortMatch: CustomStringConvertible {
    /// `tcp/80`, `udp/1000-2000`, `sctp/*`, `tcp/http`, `icmp/8`, `icmpv6/*`, `gre`.
    package var description: String {
        switch self {
        case .range(let transport, let range):
            if range == 0...UInt16.max {
                "\(transport)/*"
            } else if range.count == 1 {
                "\(transport)/\(range.lowerBound)"
            } else {
                "\(transport)/\(range.lowerBound)-\(range.upperBound)"
            }
        case .named(let transport, let name): "\(transport)/\(name)"
        case .icmpType(let transport, let type): "\(transport)/\(type.map(String.init) ?? "*")"
        case .wholeProtocol(let transport): "\(transport)"
        }
    }
}
