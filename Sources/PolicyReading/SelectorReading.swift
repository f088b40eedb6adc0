// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import PolicyModel

/// How the keys of a selector become label keys.
enum SelectorKeys {
    /// NetworkPolicy `podSelector`: plain keys that labels of every source satisfy.
    case pods
    /// NetworkPolicy `namespaceSelector`: keys of namespaces.
    case namespaces
    /// Cilium: `source:key`; without a source any.
    case sourced
}

/// Reads Kubernetes label selectors: `matchLabels` and `matchExpressions`, all of which must hold.
struct SelectorReading {
    let keys: SelectorKeys

    private static let fields = FieldTable(["matchLabels", "matchExpressions"])
    private static let expressionFields = FieldTable(["key", "operator", "values"])

    /// A requirement, and the key as it is written: keys of several kinds are lowered to one.
    typealias Written = (key: String, requirement: LabelRequirement)

    /// The selector; nil after an error.
    func read(_ field: Field) -> LabelSelector? { readWritten(field).map { LabelSelector($0.map(\.requirement)) } }

    /// The selector's requirements with their keys; nil after an error.
    func readWritten(_ field: Field) -> [Written]? {
        let errorsBefore = field.context.errorCount
        guard let mapping = field.mapping(SelectorReading.fields) else { return nil }
        var requirements: [Written] = []
        if let labels = mapping["matchLabels"]?.entries() {
            for label in labels {
                guard let (source, key) = readKey(label.key, at: label.keyField),
                    let value = readValue(label.value, source: source)
                else { continue }
                requirements.append((label.key, .equal(source: source, key: key, value: value)))
            }
        }
        if let expressions = mapping["matchExpressions"]?.elements() {
            requirements += expressions.compactMap(readExpression)
        }
        return field.context.errorCount == errorsBefore ? requirements : nil
    }

    private func readExpression(_ field: Field) -> Written? {
        guard let mapping = field.mapping(SelectorReading.expressionFields),
            let keyField = mapping.required("key"), let text = keyField.string(),
            let (source, key) = readKey(text, at: keyField),
            let operatorField = mapping.required("operator"), let name = operatorField.string()
        else { return nil }
        let elements = mapping["values"].flatMap { $0.elements() }
        let values = elements?.compactMap { readValue($0, source: source) }
        // What is wrong with a value is said already.
        guard values?.count == elements?.count else { return nil }
        switch name {
        case "In", "NotIn":
            guard let values, !values.isEmpty else {
                if values != nil || !mapping.has("values") {
                    (mapping["values"] ?? field).error(
                        .invalidSelector, "operator \(name) needs at least one value",
                        remedy: name == "In" ? "list values, or use Exists" : "list values, or use DoesNotExist")
                }
                return nil
            }
            return (text, LabelRequirement(source: source, key: key, name == "In" ? .isIn(values) : .isNotIn(values)))
        case "Exists", "DoesNotExist":
            guard values?.isEmpty ?? true else {
                mapping.keyField("values")?.error(
                    .invalidSelector, "operator \(name) takes no values",
                    remedy: "delete the values, or use \(name == "Exists" ? "In" : "NotIn")")
                return nil
            }
            return (text, LabelRequirement(source: source, key: key, name == "Exists" ? .exists : .doesNotExist))
        default:
            let guess = closestWord(to: name, among: ["In", "NotIn", "Exists", "DoesNotExist"])
            operatorField.error(
                .invalidSelector, "unknown operator \(operatorField.quoted)",
                remedy: guess.map { "did you mean `\($0)`?" } ?? "use In, NotIn, Exists or DoesNotExist")
            return nil
        }
    }

    private func readKey(_ text: String, at field: Field) -> (source: String, key: String)? {
        guard !text.isEmpty, !text.contains(where: { $0.isWhitespace || $0 == "=" || $0 == "," }),
            LabelSyntax.isPrintable(text)
        else {
            field.error(
                .invalidSelector, "\(field.quoted) is not a label key",
                remedy: "a key has no space, `=`, comma or control character")
            return nil
        }
        let (source, key) = LabelSource.split(text)
        guard key.isEmpty || !LabelSyntax.isStrict(source: source) || LabelSyntax.isKey(key) else {
            field.error(
                .invalidSelector, "\(field.quoted) is not a label key of Kubernetes: \(LabelSyntax.keyRule)",
                remedy: keys == .sourced ? "for a label of a container's own write container:\(key)" : nil)
            return nil
        }
        switch keys {
        case .pods, .namespaces:
            guard source == nil else {
                field.error(
                    .invalidSelector, "`\(text)` names a label source, which NetworkPolicy does not have",
                    remedy: "write `\(key)`, which labels of every source satisfy, or use a CiliumNetworkPolicy")
                return nil
            }
            return keys == .pods ? (LabelSource.any, key) : SelectorReading.namespaceKey(key)
        case .sourced: return sourcedKey(source, key, at: field)
        }
    }

    private func readValue(_ field: Field, source: String) -> String? {
        guard let text = field.string() else { return nil }
        let isStrict = keys != .sourced || LabelSyntax.isStrict(source: source)
        guard isStrict ? LabelSyntax.isValue(text) : LabelSyntax.isPrintable(text) else {
            field.error(
                .invalidSelector,
                isStrict
                    ? "\(field.quoted) is not a label value of Kubernetes: \(LabelSyntax.valueRule)"
                    : "\(field.quoted) has a control character, which no label has",
                remedy: keys == .sourced && isStrict ? "for a label of a container's own write container:KEY" : nil)
            return nil
        }
        return text
    }

    private func sourcedKey(_ source: String?, _ key: String, at field: Field) -> (source: String, key: String)? {
        guard let source else { return SelectorReading.translated(LabelSource.any, key) }
        guard !key.isEmpty else {
            field.error(.invalidSelector, "label source `\(source):` has no key", remedy: "write \(source):key")
            return nil
        }
        if SelectorReading.laterSources.contains(source) {
            field.error(
                .unsupportedLabelSource, "labels of source `\(source)` are not supported yet",
                remedy: "select by labels of the workload, or by prefix")
            return nil
        }
        guard SelectorReading.sources.contains(source) else {
            let guess = closestWord(to: source, among: SelectorReading.sources)
            field.error(
                .invalidSelector, "no label has source `\(source)`, so this selects nothing",
                remedy: guess.map { "did you mean `\($0):\(key)`?" }
                    ?? "sources are \(SelectorReading.sources.joined(separator: ", "))")
            return nil
        }
        return SelectorReading.translated(source, key)
    }

    private static let sources = [
        LabelSource.any, LabelSource.kubernetes, LabelSource.container, LabelSource.workload, LabelSource.reserved,
        LabelSource.process, LabelSource.cidr,
    ]
    private static let laterSources: Set<String> = ["cidrgroup", "fqdn", "node"]

    /// `io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name` is the namespace's name, which every workload
    /// carries under the shorter key.
    private static func translated(_ source: String, _ key: String) -> (source: String, key: String) {
        guard key.hasPrefix(WellKnownLabel.namespaceLabelPrefix) else { return (source, key) }
        return namespaceKey(String(key.dropFirst(WellKnownLabel.namespaceLabelPrefix.count)))
    }

    private static func namespaceKey(_ key: String) -> (source: String, key: String) {
        key == WellKnownLabel.namespaceName
            ? (LabelSource.kubernetes, WellKnownLabel.namespace)
            : (LabelSource.kubernetes, WellKnownLabel.namespaceLabelPrefix + key)
    }
}

extension LabelSelector {
    /// Adds "has a namespace": only workloads do, so that `NotIn` and `DoesNotExist` do not match hosts or the world.
    func requiringWorkload() -> LabelSelector {
        let has = LabelRequirement(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, .exists)
        let isRequired = requirements.contains {
            guard $0.source == has.source, $0.key == has.key else { return false }
            if case .isIn = $0.operation { return true }
            return $0.operation == .exists
        }
        return isRequired ? self : requiring(has)
    }
}
