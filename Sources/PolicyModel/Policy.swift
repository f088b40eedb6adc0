// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// One policy document after lowering.
///
/// The tables that hold it share what it says: ten thousand of these are in several at once.
package struct Policy: Hashable, Sendable {
    /// What the properties of the same names say.
    private struct Content: Hashable, Sendable {
        var reference: PolicyReference
        var source: SourceLocation
        var rules: [PolicyRule]
        var defaultDeny: [DefaultDeny]
        var isAudit: Bool
        var validUntil: Int64?
        var tier: PolicyTier
        var order: PolicyOrder
        var lintExemptions: [DiagnosticCode: String] = [:]
        var definedTier: TierDefinition?
        var prefixGroup: PrefixGroup?
        var grants: [EndpointGrant] = []
        var standsInFor: PolicyReference?
        var isLogged = false
        var logSelection: LogSelection?
    }

    /// Behind a reference.
    private indirect enum Box: Hashable {
        case content(Content)
    }

    private var box: Box

    private var content: Content {
        switch box {
        case .content(let content): content
        }
    }

    package init(
        reference: PolicyReference, source: SourceLocation, rules: [PolicyRule], defaultDeny: [DefaultDeny],
        isAudit: Bool = false, validUntil: Int64? = nil, tier: PolicyTier = .normal, order: PolicyOrder = .together,
        definedTier: TierDefinition? = nil, prefixGroup: PrefixGroup? = nil
    ) {
        box = .content(
            Content(
                reference: reference, source: source, rules: rules, defaultDeny: defaultDeny, isAudit: isAudit,
                validUntil: validUntil, tier: tier, order: order, definedTier: definedTier, prefixGroup: prefixGroup))
    }

    private mutating func change(_ body: (inout Content) -> Void) {
        var changed = content
        body(&changed)
        box = .content(changed)
    }

    package var reference: PolicyReference {
        get { content.reference }
        set { change { $0.reference = newValue } }
    }
    package var source: SourceLocation {
        get { content.source }
        set { change { $0.source = newValue } }
    }
    package var rules: [PolicyRule] {
        get { content.rules }
        set { change { $0.rules = newValue } }
    }
    /// Endpoints that stop being open in a direction because this policy selects them.
    package var defaultDeny: [DefaultDeny] {
        get { content.defaultDeny }
        set { change { $0.defaultDeny = newValue } }
    }
    package var isAudit: Bool {
        get { content.isAudit }
        set { change { $0.isAudit = newValue } }
    }
    /// Seconds since 1970, UTC: from then on the policy is out of force; nil: it has no end.
    package var validUntil: Int64? {
        get { content.validUntil }
        set { change { $0.validUntil = newValue } }
    }
    package var tier: PolicyTier {
        get { content.tier }
        set { change { $0.tier = newValue } }
    }
    package var order: PolicyOrder {
        get { content.order }
        set { change { $0.order = newValue } }
    }
    /// Findings that its author knows and means, by code, with the reason (`bulkhead.dev/lintIgnore`).
    package var lintExemptions: [DiagnosticCode: String] {
        get { content.lintExemptions }
        set { change { $0.lintExemptions = newValue } }
    }
    /// A tier that the document defines.
    package var definedTier: TierDefinition? {
        get { content.definedTier }
        set { change { $0.definedTier = newValue } }
    }
    /// Prefixes that the document gives labels.
    package var prefixGroup: PrefixGroup? {
        get { content.prefixGroup }
        set { change { $0.prefixGroup = newValue } }
    }
    /// What the document gives endpoints.
    package var grants: [EndpointGrant] {
        get { content.grants }
        set { change { $0.grants = newValue } }
    }
    /// The policy in whose place this one is rehearsed: among all policies, those in audit mode included, it is left out.
    package var standsInFor: PolicyReference? {
        get { content.standsInFor }
        set { change { $0.standsInFor = newValue } }
    }
    /// Its author wants its verdicts in the policy log.
    package var isLogged: Bool {
        get { content.isLogged }
        set { change { $0.isLogged = newValue } }
    }
    /// What the document selects for the policy log; it is no policy then.
    package var logSelection: LogSelection? {
        get { content.logSelection }
        set { change { $0.logSelection = newValue } }
    }
}

extension [Policy] {
    /// Those whose time is not over; all of them if the moment, in seconds since 1970, is not known.
    package func inForce(at now: Int64?) -> [Policy] {
        filter { ($0.validUntil ?? .max) > (now ?? .min) }
    }
}

/// A policy's effect of closing a direction for the endpoints it selects.
package struct DefaultDeny: Hashable, Sendable {
    package var subject: SubjectSelector
    package var direction: Direction

    package init(subject: SubjectSelector, direction: Direction) {
        self.subject = subject
        self.direction = direction
    }
}

/// Names a policy the way its author does.
package struct PolicyReference: Hashable, Sendable, Comparable {
    /// `NetworkPolicy`, `CiliumNetworkPolicy`, `CiliumClusterwideNetworkPolicy`.
    package let kind: String
    /// Empty for cluster-wide kinds.
    package let namespace: String
    package let name: String

    package init(kind: String, namespace: String, name: String) {
        self.kind = kind
        self.namespace = namespace
        self.name = name
    }

    /// `kind/namespace/name`, or `kind/name` without a namespace.
    package var text: String { namespace.isEmpty ? "\(kind)/\(name)" : "\(kind)/\(namespace)/\(name)" }

    package static func < (a: PolicyReference, b: PolicyReference) -> Bool {
        (a.kind, a.namespace, a.name) < (b.kind, b.namespace, b.name)
    }
}

/// The statement a verdict names as its cause: stable as long as the document says the same at the same place.
///
/// A shared immutable object: the rule, its compiled form and the number's description hold a reference.
package final class RuleOrigin: Sendable {
    package let policy: PolicyReference
    /// `ingress`, `egress`, `ingressDeny`, `egressDeny`, with `specs[n].` in front where a document has several.
    package let section: String
    /// Position in the section, from 0.
    package let index: Int
    package let source: SourceLocation

    package init(policy: PolicyReference, section: String, index: Int, source: SourceLocation) {
        self.policy = policy
        self.section = section
        self.index = index
        self.source = source
    }

    /// `CiliumNetworkPolicy/shop/api ingress[0]`.
    package var text: String { "\(policy.text) \(section)[\(index)]" }
}

extension RuleOrigin: CustomStringConvertible {
    package var description: String { text }
}

extension RuleOrigin: Hashable {
    package static func == (a: RuleOrigin, b: RuleOrigin) -> Bool {
        a === b || a.policy == b.policy && a.section == b.section && a.index == b.index && a.source == b.source
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(policy)
        hasher.combine(section)
        hasher.combine(index)
        hasher.combine(source)
    }
}

/// A place in a document; lines and columns count from 1.
package struct SourceLocation: Hashable, Sendable {
    package let file: String
    package let line: Int
    package let column: Int

    package init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }

    /// `file:line:column`.
    package var text: String { "\(file):\(line):\(column)" }
}
