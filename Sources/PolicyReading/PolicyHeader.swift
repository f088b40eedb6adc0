// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import PolicyModel

/// What a document lowers to, before its name and place are added.
struct PolicyContent {
    var rules: [PolicyRule] = []
    var defaultDeny: [DefaultDeny] = []
    var tier = PolicyTier.normal
    var order = PolicyOrder.together
    var definedTier: TierDefinition?
    var prefixGroup: PrefixGroup?
    var grants: [EndpointGrant] = []
    var standsInFor: PolicyReference?
    var logSelection: LogSelection?
}

/// A document's metadata: who the policy is and whether it is enforced.
struct PolicyHeader {
    let reference: PolicyReference
    let isAudit: Bool
    /// Seconds since 1970; nil: it has no end.
    let validUntil: Int64?
    /// Findings that the author means to have, by code, with the reason.
    let lintExemptions: [DiagnosticCode: String]
    /// Its verdicts are for the policy log.
    let isLogged: Bool

    /// The policy's namespace; empty for cluster-wide kinds.
    var namespace: String { reference.namespace }

    /// The annotation that puts one policy in audit mode.
    static let modeAnnotation = "bulkhead.dev/mode"
    /// The annotation that takes one policy out of force at a moment.
    static let endAnnotation = "bulkhead.dev/validUntil"
    /// The annotation that says which findings of `policy lint` are meant, and why.
    static let lintAnnotation = "bulkhead.dev/lintIgnore"
    /// The annotation that has the verdicts of one policy logged.
    static let logAnnotation = "bulkhead.dev/log"
    /// Of the same meaning, where GKE's Dataplane V2 is.
    static let foreignLogAnnotation = "policy.network.gke.io/enable-logging"

    private static let fields = FieldTable([
        "name", "namespace", "labels", "annotations", "creationTimestamp", "deletionTimestamp",
        "deletionGracePeriodSeconds", "finalizers", "generateName", "generation", "managedFields", "ownerReferences",
        "resourceVersion", "selfLink", "uid",
    ])

    init(_ document: Mapping, dialect: Dialect) {
        let metadata = document.required("metadata", remedy: "give the policy a name: `metadata: {name: ...}`")?
            .mapping(PolicyHeader.fields)
        let name = metadata.flatMap { PolicyHeader.name($0.required("name")) } ?? ""
        let namespace =
            metadata.map { PolicyHeader.namespace($0, dialect: dialect, default: document.field.context.options) } ?? ""
        self.reference = PolicyReference(kind: dialect.rawValue, namespace: namespace, name: name)
        let annotations = metadata.map(PolicyHeader.annotations) ?? Annotations()
        self.isAudit = dialect.isStaged || annotations.isAudit
        self.validUntil = annotations.validUntil
        self.lintExemptions = annotations.lintExemptions
        self.isLogged = annotations.isLogged
    }

    private static func namespace(
        _ metadata: Mapping, dialect: Dialect, default options: PolicyReader.Options
    ) -> String {
        guard dialect.isNamespaced else {
            metadata.keyField("namespace")?.error(
                .namespaceOnClusterPolicy, "\(dialect.rawValue) is cluster-wide and has no namespace",
                remedy: "delete the field, or write a CiliumNetworkPolicy")
            return ""
        }
        guard metadata.has("namespace") else { return options.defaultNamespace }
        return name(metadata["namespace"], isLabel: true) ?? ""
    }

    /// A DNS subdomain (or one label of it), as Kubernetes demands: names are used in paths and in the command line.
    private static func name(_ field: Field?, isLabel: Bool = false) -> String? {
        guard let field, let text = field.string() else { return nil }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let byteCountMax = isLabel ? 63 : 253
        guard text.utf8.count <= byteCountMax else {
            field.error(
                .invalidName, "the name \"\(text.prefix(20))…\" has \(text.utf8.count) characters",
                remedy: "use at most \(byteCountMax)")
            return nil
        }
        let isValid =
            (!isLabel || parts.count == 1)
            && parts.allSatisfy { part in
                !part.isEmpty && part.first != "-" && part.last != "-"
                    && part.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 45 }
            }
        guard isValid else {
            field.error(
                .invalidName, "\(field.quoted) is not a valid name",
                remedy: "use lower-case letters, digits and hyphens" + (isLabel ? "" : ", in parts separated by dots"))
            return nil
        }
        return text
    }

    /// What the annotations of Bulkhead say.
    private struct Annotations {
        var isAudit = false
        var validUntil: Int64?
        var lintExemptions: [DiagnosticCode: String] = [:]
        var isLogged = false
    }

    private static func annotations(_ metadata: Mapping) -> Annotations {
        var found = Annotations()
        guard let annotations = metadata.nullable("annotations"), !annotations.node.isNull,
            let entries = annotations.entries()
        else { return found }
        for entry in entries {
            // What others mean by theirs is their business: no value of it refuses a policy.
            if entry.key == foreignLogAnnotation, case .scalar(let scalar) = entry.value.node.content {
                found.isLogged = found.isLogged || scalar.text == "true"
            }
            guard entry.key.hasPrefix("bulkhead.dev/") else { continue }
            switch entry.key {
            case modeAnnotation: found.isAudit = isAudit(entry.value)
            case endAnnotation: found.validUntil = moment(entry.value)
            case lintAnnotation: found.lintExemptions = exemptions(entry.value)
            case logAnnotation: found.isLogged = isLogged(entry.value) || found.isLogged
            default:
                entry.keyField.error(
                    .invalidMode, "unknown annotation `\(entry.key)`",
                    remedy:
                        "the annotations of Bulkhead are \(modeAnnotation): enforce or audit, \(endAnnotation): "
                        + "a moment, \(lintAnnotation): codes with reasons, and \(logAnnotation): \"true\" or \"false\""
                )
            }
        }
        return found
    }

    private static func isAudit(_ value: Field) -> Bool {
        switch value.string() {
        case "audit": return true
        case "enforce", nil: return false
        default:
            value.error(.invalidMode, "\(value.quoted) is not a mode", remedy: "write enforce (the default) or audit")
            return false
        }
    }

    private static func isLogged(_ value: Field) -> Bool {
        switch value.string() {
        case "true": return true
        case "false", nil: return false
        default:
            value.error(
                .invalidMode, "\(value.quoted) does not say whether to log", remedy: "write \"true\" or \"false\"")
            return false
        }
    }

    private static func moment(_ value: Field) -> Int64? {
        guard let text = value.string() else { return nil }
        guard let seconds = Timestamps.seconds(text) else {
            value.error(
                .invalidMode, "\(value.quoted) is not a moment", remedy: "write it as \"2026-12-31T23:59:59Z\"")
            return nil
        }
        return seconds
    }

    /// `BH2112: names come from a hosts file; BH2114: nobody pings it`; a reason may go over several lines.
    private static func exemptions(_ value: Field) -> [DiagnosticCode: String] {
        guard let text = value.string() else { return [:] }
        var found: [DiagnosticCode: String] = [:]
        for part in text.split(separator: ";") {
            let sides = part.split(separator: ":", maxSplits: 1).map { side in
                side.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            }
            guard !(sides.count == 1 && sides[0].isEmpty) else { continue }
            guard let code = DiagnosticCode(sides[0]), code.description >= "BH2" else {
                value.error(
                    .invalidMode, "`\(sides[0].prefix(40))` is not the code of a warning or a note",
                    remedy: "write `BH2112: why it is meant`, several with `;` between")
                return [:]
            }
            guard sides.count == 2, !sides[1].isEmpty else {
                value.error(
                    .invalidMode, "\(code) is to be ignored without a reason",
                    remedy: "write `\(code): why it is meant`")
                return [:]
            }
            found[code] = sides[1]
        }
        return found
    }

    /// The requirement that keeps a selector inside the policy's namespace.
    var namespaceRequirement: LabelRequirement {
        .equal(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: namespace)
    }

    /// Where a verdict finds its cause.
    func origin(section: String, index: Int, at field: Field) -> RuleOrigin {
        RuleOrigin(policy: reference, section: section, index: index, source: field.location)
    }
}
