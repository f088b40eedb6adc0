// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import PolicyModel

/// The fields of a rule element: those that are lowered, and those that are refused with a reason.
enum CiliumFields {
    /// The table of one section's elements.
    static func element(of section: CiliumSection) -> FieldTable {
        tables[section] ?? FieldTable([])
    }

    /// Every field that names peers, the refused ones included.
    static func peerFields(_ direction: Direction) -> [String] {
        CiliumPeerKind.kinds(direction).map { $0.fieldName(direction) }
            + [direction == .ingress ? "fromGroups" : "toGroups"]
    }

    private static let tables = Dictionary(
        uniqueKeysWithValues: CiliumSection.all.map { section in
            let peers = CiliumPeerKind.kinds(section.direction).map { $0.fieldName(section.direction) }
            let isAllow = section.action == .allow
            return (
                section,
                FieldTable(
                    peers + ["toPorts", "icmps"] + (isAllow ? ["authentication"] : []),
                    refused: section.direction == .ingress ? ingressRefusals : egressRefusals)
            )
        })

    private static let groups = FieldTable.Refusal(
        .unsupportedGroups, "cloud-provider groups are not supported", remedy: "write their prefixes as a CIDR set")
    private static let requires = FieldTable.Refusal(
        .removedField, "fromRequires and toRequires were removed from Cilium's API",
        remedy: "write the requirement into each selector")

    private static let ingressRefusals: [String: FieldTable.Refusal] = merge(
        [
            "fromGroups": groups, "fromRequires": requires,
            "fromFQDNs": .init(.unknownField, "rules by DNS name are for egress only", remedy: "write fromCIDR"),
            "toFQDNs": .init(.unknownField, "rules by DNS name are for egress only", remedy: "write fromCIDR"),
        ], misplaced("to", insteadOf: "from", section: "an ingress"))

    private static let egressRefusals: [String: FieldTable.Refusal] = merge(
        ["toGroups": groups, "toRequires": requires], misplaced("from", insteadOf: "to", section: "an egress"))

    private static func misplaced(
        _ wrong: String, insteadOf right: String, section: String
    ) -> [String: FieldTable.Refusal] {
        Dictionary(
            uniqueKeysWithValues: ["Endpoints", "CIDR", "CIDRSet", "Entities", "Nodes", "Groups"].map {
                (
                    wrong + $0,
                    .init(.unknownField, "\(section) element has no `\(wrong)\($0)`", remedy: "write \(right)\($0)")
                )
            })
    }

    private static func merge(
        _ a: [String: FieldTable.Refusal], _ b: [String: FieldTable.Refusal]
    ) -> [String: FieldTable.Refusal] {
        a.merging(b) { first, _ in first }
    }
}

/// The kinds of peer that are lowered.
enum CiliumPeerKind: CaseIterable {
    case endpoints
    case cidr
    case cidrSet
    case entities
    case nodes
    /// Egress only.
    case services
    /// Egress only.
    case names

    /// Those of a direction.
    static func kinds(_ direction: Direction) -> [CiliumPeerKind] {
        allCases.filter { direction == .egress || $0 != .names && $0 != .services }
    }

    /// `fromEndpoints`, `toCIDRSet` and so on.
    func fieldName(_ direction: Direction) -> String {
        let prefix = direction == .ingress ? "from" : "to"
        return switch self {
        case .endpoints: prefix + "Endpoints"
        case .cidr: prefix + "CIDR"
        case .cidrSet: prefix + "CIDRSet"
        case .entities: prefix + "Entities"
        case .nodes: prefix + "Nodes"
        case .services: prefix + "Services"
        case .names: prefix + "FQDNs"
        }
    }
}
