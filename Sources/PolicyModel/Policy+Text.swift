// SPDX-License-Identifier: Apache-2.0

import IdentityModel
package import NetworkModel

extension Policy {
    /// What the policy means after lowering, the same for the same meaning: `policy get` prints it, tests compare it.
    package var text: String {
        let instead = standsInFor.map { ", instead of \($0.text)" } ?? ""
        var lines = ["\(reference.text)\(isAudit ? " (audit\(instead))" : "")"]
        if let tier = definedTier {
            let place = tier.order.map { "order \(PolicyOrder.text($0))" } ?? "no order"
            lines.append("  defines tier \(tier.name), \(place), \(tier.closes ? "deny" : "pass") at its end")
        }
        if let group = prefixGroup {
            let names = group.names.isEmpty ? "" : " and \(group.names.count) names"
            let members = group.members.map { ", workloads of \($0)" } ?? ""
            lines.append(
                "  defines \(group.prefixes.count) prefixes\(names) with \(group.labels)"
                    + (group.includesWorkloads ? ", workloads in them too" : "") + members)
        }
        if let selection = logSelection { lines.append("  logs \(selection)") }
        if isLogged { lines.append("  its verdicts are logged") }
        for grant in grants { lines.append("  gives \(grant)") }
        if tier != .normal || order != .together, isPartOfTier { lines.append("  \(tier.name) tier, \(order)") }
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

extension EndpointGrant: CustomStringConvertible {
    /// `endpoints k8s:app=web labels k8s:role=front and ports http/tcp=80`.
    package var description: String {
        let whom =
            switch recipient {
            case .node(let name, let device): "host \(name)" + (device.map { " (\($0))" } ?? "")
            case .selected(let subject): "\(subject)"
            }
        let names = ports.numbers.sorted { ($0.key.proto.rawValue, $0.key.name) < ($1.key.proto.rawValue, $1.key.name) }
            .map { "\($0.name)/\($0.proto)=" + $1.sorted().map(String.init).joined(separator: "|") }
        return "\(whom) labels \(LabelSet(labels))"
            + (names.isEmpty ? "" : " and ports \(names.joined(separator: ","))")
    }
}

extension PolicyOrder: CustomStringConvertible {
    /// `all rules together`, `priority 10`, `behind every priority`.
    package var description: String {
        switch self {
        case .together: "all rules together"
        case .priority(PolicyOrder.lastPriority): "behind every priority"
        case .priority(let priority): "priority \(priority)"
        case .ordered(let order): order.map { "order \(PolicyOrder.text($0))" } ?? "no order"
        }
    }

    /// Whole numbers without a fraction.
    static func text(_ order: Double) -> String {
        Int(exactly: order).map(String.init) ?? "\(order)"
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
        case .stage(let stage, let selector): "\(stage.rawValue) of hosts \(selector)"
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
        case .group(let selector): "prefixes of \(selector)"
        case .groupNames(let selector): "names of \(selector)"
        case .narrowed(let selector, let condition): "(\(selector) \(condition))"
        case .name(let selector): "name \(selector)"
        }
    }
}

extension PeerCondition: CustomStringConvertible {
    /// `in 10.0.0.0/8,fd00::/8, not in 10.1.0.0/16, not any:app=web, not in prefixes of any:list=bad`.
    package var description: String {
        func list(_ prefixes: [CIDR]) -> String { prefixes.map(\.description).joined(separator: ",") }
        var parts: [String] = []
        if let within { parts.append("in \(within.isEmpty ? "nothing" : list(within))") }
        if !outside.isEmpty { parts.append("not in \(list(outside))") }
        parts += notLabels.map { "not \($0)" } + notGroups.map { "not in prefixes of \($0)" }
        return parts.joined(separator: ", ")
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
            } else if transport == .icmp || transport == .icmpv6 {
                PortMatch.icmpText(transport, range)
            } else if range.count == 1 {
                "\(transport)/\(range.lowerBound)"
            } else {
                "\(transport)/\(range.lowerBound)-\(range.upperBound)"
            }
        case .named(let transport, let name): "\(transport)/\(name)"
        case .icmpType(let transport, let type): "\(transport)/\(type.map(String.init) ?? "*")"
        case .wholeProtocol(let transport): "\(transport)"
        case .without(let difference): difference.description
        case .ofServices(let selector):
            "\(selector.proto.map { "\($0) " } ?? "")ports of \(selector.services)"
        }
    }

    /// `icmp/8`, `icmp/3-11`, `icmp/3:1`, `icmp/3:2-8:0`.
    package static func icmpText(_ transport: IPProtocol, _ range: ClosedRange<UInt16>) -> String {
        let (first, last) = (range.lowerBound, range.upperBound)
        if first & 0xff == 0, last & 0xff == 0xff {
            return "\(transport)/\(first >> 8)" + (first >> 8 == last >> 8 ? "" : "-\(last >> 8)")
        }
        let start = "\(transport)/\(first >> 8):\(first & 0xff)"
        return first == last ? start : "\(start)-\(last >> 8):\(last & 0xff)"
    }
}
