// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import PolicyModel

/// Brings the selectors of a policy to labels: whom they mean depends on the policy's namespace.
struct CalicoScope {
    /// Empty: the policy is global.
    let namespace: String

    /// Whose labels a selector is about.
    enum Subject {
        case endpoints
        case namespaces
        /// Service accounts: their labels are the endpoint's, with a prefix, as their Profile gives them.
        case accounts
    }

    /// Who is selected, apart for each kind; hosts and groups of prefixes have labels, but no workload's.
    struct Selected {
        var workloads: [LabelSelector] = []
        var hosts: [LabelSelector] = []
        var groups: [LabelSelector] = []
    }

    /// What a policy calls namespace, service account and so on, and the labels that say it here.
    private static let namespaceKey = "projectcalico.org/namespace"
    private static let accountKey = "projectcalico.org/serviceaccount"
    /// What manages a workload: `k8s`, for all of them.
    private static let orchestratorKey = "projectcalico.org/orchestrator"
    private static let namespaceNameKey = "projectcalico.org/name"
    private static let accountPrefix = "pcsa."
    /// What Calico's sets of prefixes have and other dialects' groups have not: no selector can name it.
    static let setMarker = Label(source: "calico", key: "network:set")
    static let accountLabel = WellKnownLabel.serviceAccount

    /// A selector in the form of the index; nil after an error.
    func form(_ field: Field, _ subject: Subject, isNegated: Bool = false) -> CalicoSelectorForm? {
        guard let text = field.string() else { return nil }
        do throws(CalicoSelectorError) {
            let selector = try CalicoSelectorParser.parse(text)
            guard checkKeys(of: selector, subject, field, text) else { return nil }
            do {
                return try CalicoSelectorForm(selector, keys(subject), isNegated: isNegated)
            } catch {
                CalicoScope.reportTooLarge(field)
                return nil
            }
        } catch {
            field.error(
                .invalidSelector, at: error.offset, length: error.length, error.message, remedy: error.remedy)
            return nil
        }
    }

    /// A namespace selector: namespaces only, or what is in none; nil after an error.
    func namespaces(_ field: Field) -> CalicoSelectorForm? {
        form(field, .namespaces).map { form in
            CalicoSelectorForm(
                alternatives: form.alternatives.map { CalicoScope.isGlobal($0) ? $0 : $0.requiringWorkload() })
        }
    }

    /// Whom a selector means, in the namespaces given, or in those that the policy implies; nil after an error.
    func selected(_ form: CalicoSelectorForm, _ namespaces: CalicoSelectorForm?, at field: Field) -> Selected? {
        var selected = Selected()
        guard let namespaces else {
            for selector in form.alternatives {
                guard namespace.isEmpty else {
                    let own = LabelSelector([ownNamespace] + selector.requirements)
                    guard own.isSatisfiable else { continue }
                    selected.workloads.append(own)
                    selected.groups.append(own.requiringSet())
                    continue
                }
                if !CalicoScope.isGlobal(selector) { selected.workloads.append(selector.requiringWorkload()) }
                if CalicoScope.mayBeGlobal(selector) { selected.hosts.append(selector) }
                selected.groups.append(selector.requiringSet())
            }
            return selected
        }
        do {
            for selector in try namespaces.and(form).alternatives {
                if CalicoScope.isGlobal(selector) {
                    selected.hosts.append(selector)
                } else {
                    selected.workloads.append(selector)
                }
                selected.groups.append(selector.requiringSet())
            }
            return selected
        } catch {
            CalicoScope.reportTooLarge(field)
            return nil
        }
    }

    static func reportTooLarge(_ field: Field) {
        field.error(
            .selectorTooLarge,
            "the selector expands to more than \(CalicoSelectorForm.alternativesMax) alternatives",
            remedy: "split the rule, or give what is meant a label of its own")
    }

    private var ownNamespace: LabelRequirement {
        .equal(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: namespace)
    }

    /// True if it asks for what is in no namespace.
    private static func isGlobal(_ selector: LabelSelector) -> Bool {
        selector.requirements.contains {
            $0.source == LabelSource.kubernetes && $0.key == WellKnownLabel.namespace && $0.operation == .doesNotExist
        }
    }

    private static func mayBeGlobal(_ selector: LabelSelector) -> Bool {
        selector.requiring(
            LabelRequirement(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, .doesNotExist)
        ).isSatisfiable
    }

    /// Every namespace has a name, so that only `global()` asks for what is in none.
    private func keys(_ subject: Subject) -> CalicoSelectorForm.Keys {
        let names = subject == .namespaces ? [CalicoScope.namespaceNameKey, WellKnownLabel.namespaceName] : []
        func constant(_ key: String) -> String? {
            subject == .endpoints && key == CalicoScope.orchestratorKey ? "k8s" : nil
        }
        return CalicoSelectorForm.Keys(isEverywhere: names.contains, constant: constant) { key in
            switch (subject, key) {
            case (.endpoints, CalicoScope.namespaceKey),
                (.namespaces, CalicoScope.namespaceNameKey), (.namespaces, WellKnownLabel.namespaceName):
                (LabelSource.kubernetes, WellKnownLabel.namespace)
            case (.endpoints, CalicoScope.accountKey), (.accounts, CalicoScope.namespaceNameKey):
                (LabelSource.any, CalicoScope.accountLabel)
            case (.accounts, _): (LabelSource.any, CalicoScope.accountPrefix + key)
            case (.endpoints, _): (LabelSource.any, key)
            case (.namespaces, _): (LabelSource.kubernetes, WellKnownLabel.namespaceLabelPrefix + key)
            }
        }
    }

    /// Keys that no label here stands for.
    private func checkKeys(of selector: CalicoSelector, _ subject: Subject, _ field: Field, _ text: String) -> Bool {
        switch selector {
        case .all, .global: return true
        case .not(let inner): return checkKeys(of: inner, subject, field, text)
        case .both(let a, let b), .either(let a, let b):
            let isFirstRight = checkKeys(of: a, subject, field, text)
            return checkKeys(of: b, subject, field, text) && isFirstRight
        case .test(let key, let operation):
            let known =
                subject == .endpoints
                ? [CalicoScope.namespaceKey, CalicoScope.accountKey, CalicoScope.orchestratorKey]
                : [CalicoScope.namespaceNameKey]
            let isKnown = !key.hasPrefix("projectcalico.org/") || known.contains(key)
            let (scalars, word) = (Array(text.unicodeScalars), Array(key.unicodeScalars))
            let offset = scalars.indices.first { scalars[$0...].starts(with: word) } ?? 0
            guard isKnown else {
                field.error(
                    .unsupportedLabelSource, at: offset, length: word.count,
                    "no label here stands for `\(key)`", remedy: "known are \(known.joined(separator: ", "))")
                return false
            }
            guard operation.texts.allSatisfy(LabelSyntax.isPrintable) else {
                field.error(
                    .invalidSelector, at: offset, length: word.count,
                    "`\(key)` is compared with a control character, which no label has",
                    remedy: "write the value without it")
                return false
            }
            return true
        }
    }
}

extension LabelSelector {
    /// Adds "is a set of Calico's": nodes, services and groups of Cilium's have labels too.
    fileprivate func requiringSet() -> LabelSelector {
        requiring(
            LabelRequirement(source: CalicoScope.setMarker.source, key: CalicoScope.setMarker.key, .exists))
    }
}

extension LabelRequirement.Operator {
    /// What it compares with.
    fileprivate var texts: [String] {
        switch self {
        case .isIn(let values), .isNotIn(let values): values
        case .has(_, let text), .hasNot(_, let text): [text]
        case .exists, .doesNotExist: []
        }
    }
}
