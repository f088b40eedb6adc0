// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import PolicyModel

/// Where a GlobalNetworkPolicy of Calico judges packets of host endpoints, besides the host's own connections.
struct CalicoStages {
    /// What passes through the host too.
    private(set) var isOnForward = false
    /// What comes in, before destinations are translated and before all other policies; whose it is makes no difference.
    private(set) var isPreDNAT = false
    /// Everything at the host's devices packet by packet, before flows are known; nothing is closed for want of a rule.
    private(set) var isUntracked = false

    /// Whom the policy selects is denied at the end of its tier.
    var closes: Bool { !isPreDNAT && !isUntracked }

    static let notes = [
        "applyOnForward": "yes: [what passes through the host](../calico.md#what-passes-through-the-host)",
        "preDNAT": "yes, with `applyOnForward: true`, without egress rules and in the default tier (BH1409, BH1514)",
        "doNotTrack": "yes, with `applyOnForward: true`: [without flows](../calico.md#without-flows) (BH1409)",
    ]

    /// Reads the three fields and reports what contradicts them.
    init(_ spec: Mapping) {
        func isSet(_ name: String) -> Bool { spec[name]?.boolean() == true }
        (isOnForward, isPreDNAT, isUntracked) = (isSet("applyOnForward"), isSet("preDNAT"), isSet("doNotTrack"))
        func contradiction(_ name: String, _ message: String, _ remedy: String) {
            spec.keyField(name)?.error(.contradictoryStages, message, remedy: remedy)
        }
        guard !isUntracked || !isPreDNAT else {
            contradiction("preDNAT", "a policy is either doNotTrack or preDNAT", "delete one of the two")
            return
        }
        let isEarly = isUntracked || isPreDNAT
        if isEarly, !isOnForward {
            let name = isUntracked ? "doNotTrack" : "preDNAT"
            contradiction(
                name, "a \(name) policy judges what passes through the host too", "add `applyOnForward: true`")
        }
        if isPreDNAT {
            let remedy = "move them into a policy of their own"
            if spec.has("egress") {
                contradiction("egress", "a preDNAT policy judges what comes in: it has no egress rules", remedy)
            }
            let types = spec["types"]?.elements() ?? []
            if types.contains(where: { $0.string() == "Egress" }) {
                contradiction("types", "a preDNAT policy judges what comes in: its type is Ingress", remedy)
            }
            if spec["tier"].map({ !["", "default"].contains($0.string() ?? "") }) ?? false {
                spec.keyField("tier")?.error(
                    .unsupportedStage, "preDNAT policies of all tiers would be asked together, before every tier",
                    remedy: "delete `tier`, and say with `order` which of them is asked first")
            }
        }
    }

    /// Of a namespaced policy.
    init() {}

    /// Everything that the policy speaks for, in a direction.
    func subjects(_ selected: CalicoSubjects) -> [SubjectSelector] {
        if isUntracked { return selected.hosts.alternatives.map { SubjectSelector.stage(.untracked, $0) } }
        let passages = isOnForward ? selected.hosts.alternatives.map { SubjectSelector.stage(.forward, $0) } : []
        return isPreDNAT
            ? selected.hosts.alternatives.map(SubjectSelector.hosts) + passages : selected.selectors + passages
    }
}
