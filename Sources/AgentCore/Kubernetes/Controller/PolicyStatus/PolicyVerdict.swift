// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import KubernetesClient

/// How it stands with one policy on all nodes together.
struct PolicyVerdict: Hashable, Sendable {
    enum Outcome: Hashable, Sendable {
        /// Every node does what it says.
        case inForce
        /// Some have not told of it: they may any moment.
        case pending
        /// Some will not, unless something is done.
        case failed
        /// Nodes refuse it as it is.
        case refused
        /// Only silent nodes have not told of it, or there are none.
        case unknown
    }

    var outcome: Outcome
    var accepted: PolicyCondition
    var inForce: PolicyCondition

    var conditions: [PolicyCondition] { [accepted, inForce] }

    /// Names of nodes that are told; of others the number.
    private static let namesMax = 3

    init(_ key: ObjectKey, _ kind: ResourceKind, _ mark: DocumentMark, _ census: PolicyCensus, _ roll: NodeRoll) {
        let tally = Tally(key, kind, mark, census, roll)
        let all = roll.count
        accepted = tally.accepted(kind, mark)
        let status: PolicyCondition.Status
        let reason: String
        if tally.inForce == all, all > 0 {
            (outcome, status, reason) = (.inForce, .yes, "InForce")
        } else if !tally.refused.isEmpty {
            (outcome, status, reason) = (.refused, .no, "Refused")
        } else if !tally.failed.isEmpty {
            (outcome, status, reason) = (.failed, .no, "NotInForce")
        } else if tally.isUnseenOnlySilent {
            (outcome, status, reason) = (.unknown, .unknown, all == 0 ? "NoNodes" : "NodesSilent")
        } else {
            (outcome, status, reason) = (.pending, .no, "Pending")
        }
        inForce = PolicyCondition(
            .inForce, in: kind, status, reason, tally.message(of: all, namesMax: Self.namesMax),
            generation: mark.generation)
    }

    /// Who says what of a policy.
    private struct Tally {
        /// Nodes, each with its reason.
        var refused: [(node: String, reason: String)] = []
        var failed: [(node: String, reason: String)] = []
        /// The first of those who have not told of it, each with what is known of it.
        var unseen: [(node: String, reason: String)] = []
        var seenCount = 0
        var inForce = 0
        var isUnseenOnlySilent = true

        init(_ key: ObjectKey, _ kind: ResourceKind, _ mark: DocumentMark, _ census: PolicyCensus, _ roll: NodeRoll) {
            var excused: Set<String> = []
            seenCount = census.seenCount(key)
            inForce = seenCount
            let exceptions = roll.exceptions[kind.documentKey(key)] ?? [:]
            for (node, exception) in exceptions.sorted(by: { $0.key < $1.key }) {
                let hasSeen = census.hasSeen(node, key)
                // What it says of an earlier state says nothing of this one.
                guard hasSeen || exception.generation == mark.generation else { continue }
                if hasSeen { inForce -= 1 } else { excused.insert(node) }
                switch exception.state {
                case .refused: refused.append((node, exception.message))
                case .waiting: failed.append((node, exception.message))
                }
            }
            // More than are silent cannot all be silent; and who does not follow the kind is told of.
            var looked = 0
            for node in census.unseen(key) where !excused.contains(node) {
                looked += 1
                if let problem = roll.problem(of: node, kind.description) {
                    failed.append((node, problem))
                } else {
                    let isSilent = roll.silent.contains(node)
                    if !isSilent { isUnseenOnlySilent = false }
                    if unseen.count < PolicyVerdict.namesMax {
                        unseen.append((node, isSilent ? "silent" : "it has not told of it yet"))
                    }
                }
                if looked > PolicyVerdict.namesMax, !isUnseenOnlySilent, failed.count > PolicyVerdict.namesMax { break }
                if looked > 64 + roll.silent.count { break }
            }
        }

        func accepted(_ kind: ResourceKind, _ mark: DocumentMark) -> PolicyCondition {
            func condition(_ status: PolicyCondition.Status, _ reason: String, _ message: String) -> PolicyCondition {
                PolicyCondition(.accepted, in: kind, status, reason, message, generation: mark.generation)
            }
            if let first = refused.first {
                return condition(
                    .no, "Refused",
                    "\(first.reason) (\(PolicyVerdict.names(refused.map(\.node)))); what was in force before stays")
            }
            if seenCount + failed.count > 0 { return condition(.yes, "Accepted", "nodes understand it") }
            return condition(.unknown, "Pending", "no node has told of it yet")
        }

        func message(of all: Int, namesMax: Int) -> String {
            var text = "in force on \(inForce) of \(all) nodes"
            var named = Array((refused + failed).prefix(namesMax))
            named += unseen.prefix(namesMax - named.count)
            if !named.isEmpty {
                text += "; not on " + named.map { "\($0.node) (\($0.reason))" }.joined(separator: ", ")
            }
            let more = all - inForce - named.count
            return more > 0 ? "\(text) and \(more) more" : text
        }
    }

    /// Some names, and how many there are besides.
    private static func names(_ nodes: [String]) -> String {
        let named = nodes.prefix(namesMax).joined(separator: ", ")
        return nodes.count > namesMax ? "\(named) and \(nodes.count - namesMax) more" : named
    }
}
