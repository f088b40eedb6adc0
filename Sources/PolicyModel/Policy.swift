// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// One policy document after lowering.
package struct Policy: Hashable, Sendable {
    package var reference: PolicyReference
    package var source: SourceLocation
    package var rules: [PolicyRule]
    /// Endpoints that stop being open in a direction because this policy selects them.
    package var defaultDeny: [DefaultDeny]
    package var isAudit: Bool
    /// Seconds since 1970, UTC: from then on the policy is out of force; nil: it has no end.
    package var validUntil: Int64?
    package var tier: PolicyTier
    package var order: PolicyOrder
    /// Findings that its author knows and means, by code, with the reason (`bulkhead.dev/lintIgnore`).
    package var lintExemptions: [DiagnosticCode: String] = [:]
    /// A tier that the document defines.
    package var definedTier: TierDefinition?
    /// Prefixes that the document gives labels.
    package var prefixGroup: PrefixGroup?
    /// What the document gives endpoints.
    package var grants: [EndpointGrant] = []
    /// The policy in whose place this one is rehearsed: among all policies, those in audit mode included, it is left out.
    package var standsInFor: PolicyReference?

    package init(
        reference: PolicyReference, source: SourceLocation, rules: [PolicyRule], defaultDeny: [DefaultDeny],
        isAudit: Bool = false, validUntil: Int64? = nil, tier: PolicyTier = .normal, order: PolicyOrder = .together,
        definedTier: TierDefinition? = nil, prefixGroup: PrefixGroup? = nil
    ) {
        self.reference = reference
        self.source = source
        self.rules = rules
        self.defaultDeny = defaultDeny
        self.isAudit = isAudit
        self.validUntil = validUntil
        self.tier = tier
        self.order = order
        self.definedTier = definedTier
        self.prefixGroup = prefixGroup
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
package struct RuleOrigin: Hashable, Sendable {
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
