// SPDX-License-Identifier: Apache-2.0

/// `GET /v1/endpoints`: one policed workload.
package struct EndpointRecord: Codable, Hashable, Sendable {
    /// How far the endpoint is.
    package enum Condition: String, Codable, Sendable {
        /// Its programs are attached and judge its traffic.
        case enforced
        /// Known, but not attached: `problem` says why.
        case pending
    }

    /// How one direction is closed.
    package enum Enforcement: String, Codable, Sendable {
        /// No policy selects it: everything passes.
        case open
        /// Only what a rule allows passes.
        case defaultDeny = "default-deny"
        /// What no rule allows is reported and passes.
        case audit
    }

    /// Number on this host; also in events.
    package var id: UInt16
    package var name: String
    /// Where it was found: `podman`, `docker`, `workloads file`, `host`.
    package var source: String
    package var condition: Condition
    package var identity: UInt32
    /// `source:key=value`, sorted.
    package var labels: [String]
    package var addresses: [String]
    /// Host side of its link.
    package var interface: String
    package var interfaceIndex: UInt32
    package var ingress: Enforcement
    package var egress: Enforcement
    /// Audit mode of this endpoint alone.
    package var audit: Bool
    /// Container id, image and so on, as the runtime tells them.
    package var details: [String: String]
    package var problem: String?

    package init(
        id: UInt16, name: String, source: String, condition: Condition, identity: UInt32, labels: [String],
        addresses: [String], interface: String, interfaceIndex: UInt32, ingress: Enforcement, egress: Enforcement,
        audit: Bool, details: [String: String] = [:], problem: String? = nil
    ) {
        self.id = id
        self.name = name
        self.source = source
        self.condition = condition
        self.identity = identity
        self.labels = labels
        self.addresses = addresses
        self.interface = interface
        self.interfaceIndex = interfaceIndex
        self.ingress = ingress
        self.egress = egress
        self.audit = audit
        self.details = details
        self.problem = problem
    }
}

/// `GET /v1/identities`: one number and the label set it stands for.
package struct IdentityRecord: Codable, Hashable, Sendable {
    package var id: UInt32
    /// `reserved`, `workload` or `local` (a prefix, or a workload inside a prefix).
    package var scope: String
    package var labels: [String]
    /// For local identities.
    package var prefix: String?
    /// Names of this host's endpoints that carry it.
    package var endpoints: [String]

    package init(id: UInt32, scope: String, labels: [String], prefix: String? = nil, endpoints: [String]) {
        self.id = id
        self.scope = scope
        self.labels = labels
        self.prefix = prefix
        self.endpoints = endpoints
    }
}
