// SPDX-License-Identifier: Apache-2.0

import PolicyModel

/// What the staged kinds of Calico have beside the policy itself: they are policies in audit mode, whose verdicts are
/// worked out beside those in force.
struct StagedReading {
    let header: PolicyHeader

    static let actionField = "stagedAction"

    /// A policy of Kubernetes that is staged: its spec with one field more.
    func readKubernetes(_ document: Mapping) -> PolicyContent {
        guard let spec = document.required("spec"), case .mapping(let pairs) = spec.node.content else {
            return NetworkPolicyReading(header: header).read(document)
        }
        guard StagedReading.isSet(Mapping(pairs: pairs, field: spec)) else { return PolicyContent() }
        var node = spec.node
        node.content = .mapping(pairs.filter { $0.key != StagedReading.actionField })
        let others = document.pairs.map { pair in
            pair.key == "spec"
                ? YAMLPair(key: pair.key, keyStart: pair.keyStart, keyEnd: pair.keyEnd, value: node) : pair
        }
        return NetworkPolicyReading(header: header).read(Mapping(pairs: others, field: document.field))
    }

    /// True if the policy is to be evaluated; false if it is to be left alone, and after an error.
    static func isSet(_ spec: Mapping) -> Bool {
        guard let field = spec[actionField], let text = field.string() else { return !spec.has(actionField) }
        switch text {
        case "Set": return true
        case "Ignore": return false
        case "Delete", "Learn":
            field.error(
                .unsupportedMatch, "staged action \(text) is not supported",
                remedy: text == "Delete"
                    ? "see what deleting a policy changes with `bulkhead policy diff`" : "write Set or Ignore")
        default:
            let guess = closestWord(to: text, among: ["Set", "Delete", "Learn", "Ignore"])
            field.error(
                .unknownValue, "\(field.quoted) is not a staged action",
                remedy: guess.map { "did you mean `\($0)`?" } ?? "write Set or Ignore")
        }
        return false
    }
}
