// SPDX-License-Identifier: Apache-2.0

import PolicyModel

/// What the staged kinds of Calico have beside the policy itself: they are policies in audit mode, whose verdicts are
/// worked out beside those in force, in the place of the policy of the same name.
struct StagedReading {
    let header: PolicyHeader
    let dialect: Dialect

    /// What is to be done with the policy.
    enum Action: String, CaseIterable {
        case set = "Set"
        /// Rehearse that there is no policy of this name.
        case delete = "Delete"
        /// As Set: its rules are what has been learnt so far.
        case learn = "Learn"
        case ignore = "Ignore"
    }

    static let actionField = "stagedAction"

    /// The enforced policy of the same name.
    private var counterpart: PolicyReference? {
        dialect.unstaged.map {
            PolicyReference(kind: $0.rawValue, namespace: header.namespace, name: header.reference.name)
        }
    }

    /// A policy of Kubernetes that is staged: its spec with one field more.
    func readKubernetes(_ document: Mapping) -> PolicyContent {
        guard let spec = document.required("spec"), case .mapping(let pairs) = spec.node.content else {
            return NetworkPolicyReading(header: header).read(document)
        }
        guard let action = StagedReading.action(Mapping(pairs: pairs, field: spec)) else { return PolicyContent() }
        var node = spec.node
        node.content = .mapping(pairs.filter { $0.key != StagedReading.actionField })
        let others = document.pairs.map { pair in
            pair.key == "spec"
                ? YAMLPair(key: pair.key, keyStart: pair.keyStart, keyEnd: pair.keyEnd, value: node) : pair
        }
        // Of what is to be deleted only the name matters.
        if action == .delete || action == .ignore, !pairs.contains(where: { $0.key == "podSelector" }) {
            return content(PolicyContent(), action)
        }
        return content(NetworkPolicyReading(header: header).read(Mapping(pairs: others, field: document.field)), action)
    }

    /// What a policy is that says this, with the action.
    func content(_ written: PolicyContent, _ action: Action) -> PolicyContent {
        switch action {
        case .set, .learn:
            var content = written
            content.standsInFor = counterpart
            return content
        case .delete:
            var content = PolicyContent()
            content.standsInFor = counterpart
            return content
        case .ignore: return PolicyContent()
        }
    }

    /// Missing: Set; nil after an error.
    static func action(_ spec: Mapping) -> Action? {
        guard spec.has(actionField) else { return .set }
        guard let field = spec[actionField], let text = field.string() else { return nil }
        if let action = Action(rawValue: text) {
            if action == .learn {
                field.report(
                    .note, .notRecorded, "nothing is learnt here: the rules are rehearsed as they stand",
                    remedy: "write Set, which means the same")
            }
            return action
        }
        let guess = closestWord(to: text, among: Action.allCases.map(\.rawValue))
        field.error(
            .unknownValue, "\(field.quoted) is not a staged action",
            remedy: guess.map { "did you mean `\($0)`?" } ?? "write Set, Delete, Learn or Ignore")
        return nil
    }
}
