// SPDX-License-Identifier: Apache-2.0

import PolicyModel

/// Finds out what a document is and hands it to the reader of its kind.
struct DocumentReading {
    let context: ReadingContext

    /// The policies of one document: one, or several of a list; those with errors are left out.
    func policies(in document: YAMLNode) -> [Policy] {
        // An empty document (only comments, or a trailing `---`) is nothing.
        guard !document.isNull else { return [] }
        return read(Field(node: document, path: nil, context: context))
    }

    private func read(_ field: Field) -> [Policy] {
        guard let entries = field.entries() else { return [] }
        let envelope = Mapping(pairs: entries.map(\.pair), field: field)
        guard let kindField = envelope.required("kind", remedy: kindRemedy), let kind = kindField.string() else {
            return []
        }
        guard let versionField = envelope.required("apiVersion"), let version = versionField.string() else { return [] }
        if DocumentReading.isList(kind) { return readList(field) }
        let candidates = Dialect.allCases.filter { $0.kind == kind }
        guard !candidates.isEmpty else {
            refuse(kind: kind, version: version, at: kindField)
            return []
        }
        guard let dialect = candidates.first(where: { $0.apiVersions.contains(version) }) else {
            let versions = candidates.map(\.apiVersion).joined(separator: " or ")
            versionField.error(
                .unknownKind, "\(kind) has API version \(versions), not \(versionField.quoted)",
                remedy: "write apiVersion: \(versions)")
            return []
        }
        guard let policy = readPolicy(field, dialect: dialect) else { return [] }
        // Only what stands in a list has a path.
        if field.path != nil { context.listItems[policy.reference] = field.node }
        return [policy]
    }

    /// Reads one policy; nil if it has an error, so that a policy is either whole or not there.
    private func readPolicy(_ field: Field, dialect: Dialect) -> Policy? {
        let errorsBefore = context.errorCount
        guard let document = field.mapping(dialect.documentFields) else { return nil }
        let header = PolicyHeader(document, dialect: dialect)
        let content =
            switch dialect {
            case .networkPolicy: NetworkPolicyReading(header: header).read(document)
            case .ciliumNetworkPolicy, .ciliumClusterwideNetworkPolicy:
                CiliumPolicyReading(header: header).read(document)
            case .adminNetworkPolicy: AdminPolicyReading(header: header, dialect: .admin).read(document)
            case .baselineAdminNetworkPolicy: AdminPolicyReading(header: header, dialect: .baseline).read(document)
            case .clusterNetworkPolicy: AdminPolicyReading(header: header, dialect: .cluster).read(document)
            case .calicoNetworkPolicy, .calicoGlobalNetworkPolicy, .stagedNetworkPolicy, .stagedGlobalNetworkPolicy:
                CalicoPolicyReading(header: header, dialect: dialect).read(document)
            case .stagedKubernetesNetworkPolicy:
                StagedReading(header: header, dialect: dialect).readKubernetes(document)
            case .tier: CalicoTierReading(header: header).read(document)
            case .profile: CalicoProfileReading(header: header).read(document)
            case .hostEndpoint: CalicoHostEndpointReading(header: header).read(document)
            case .networkSet, .globalNetworkSet, .ciliumCIDRGroup:
                PrefixGroupReading(header: header, dialect: dialect).read(document)
            case .node, .service, .endpoints, .endpointSlice:
                ClusterObjectReading(header: header, dialect: dialect).read(document)
            case .policyLogging: PolicyLoggingReading(header: header).read(document)
            }
        guard context.errorCount == errorsBefore else { return nil }
        var policy = Policy(
            reference: header.reference, source: field.location, rules: content.rules,
            defaultDeny: content.defaultDeny, isAudit: header.isAudit, validUntil: header.validUntil,
            tier: content.tier, order: content.order, definedTier: content.definedTier,
            prefixGroup: content.prefixGroup)
        policy.lintExemptions = header.lintExemptions
        policy.grants = content.grants
        policy.standsInFor = content.standsInFor
        policy.isLogged = header.isLogged
        policy.logSelection = content.logSelection
        return policy
    }

    private func readList(_ field: Field) -> [Policy] {
        let table = FieldTable(["apiVersion", "kind", "metadata", "items"])
        guard let list = field.mapping(table), let items = list.required("items")?.elements() else { return [] }
        return items.flatMap(read)
    }

    private var kindRemedy: String { "start with `apiVersion:` and `kind:` of one of \(Dialect.listing)" }

    private static func isList(_ kind: String) -> Bool {
        kind == "List" || Dialect.allCases.contains { kind == $0.kind + "List" }
    }

    private func refuse(kind: String, version: String, at field: Field) {
        let group = version.split(separator: "/").first.map(String.init) ?? ""
        if let reason = DocumentReading.plannedKinds[kind], reason.groups.contains(group) {
            field.error(.unsupportedKind, "kind \(field.quoted) is not supported yet", remedy: reason.remedy)
        } else if let guess = closestWord(to: kind, among: Dialect.allCases.map(\.kind)) {
            field.error(.unknownKind, "unknown kind \(field.quoted)", remedy: "did you mean `\(guess)`?")
        } else {
            field.error(
                .unknownKind, "\(field.quoted) is not a kind of policy",
                remedy: "keep only \(Dialect.listing) in policy files")
        }
    }

    /// Policy kinds that people have and Bulkhead will read one day, with what to use until then.
    private static let plannedKinds: [String: (groups: Set<String>, remedy: String)] = [
        "CiliumLocalRedirectPolicy": (["cilium.io"], "remove the document"),
        "CiliumEgressGatewayPolicy": (["cilium.io"], "remove the document"),
    ]
}

/// The dialects; the raw value is the kind by which a policy is named here.
enum Dialect: String, CaseIterable {
    case networkPolicy = "NetworkPolicy"
    case ciliumNetworkPolicy = "CiliumNetworkPolicy"
    case ciliumClusterwideNetworkPolicy = "CiliumClusterwideNetworkPolicy"
    case adminNetworkPolicy = "AdminNetworkPolicy"
    case baselineAdminNetworkPolicy = "BaselineAdminNetworkPolicy"
    case clusterNetworkPolicy = "ClusterNetworkPolicy"
    case calicoNetworkPolicy = "CalicoNetworkPolicy"
    case calicoGlobalNetworkPolicy = "GlobalNetworkPolicy"
    case stagedNetworkPolicy = "StagedNetworkPolicy"
    case stagedGlobalNetworkPolicy = "StagedGlobalNetworkPolicy"
    case stagedKubernetesNetworkPolicy = "StagedKubernetesNetworkPolicy"
    case tier = "Tier"
    case networkSet = "NetworkSet"
    case globalNetworkSet = "GlobalNetworkSet"
    case profile = "Profile"
    case hostEndpoint = "HostEndpoint"
    case ciliumCIDRGroup = "CiliumCIDRGroup"
    case node = "Node"
    case service = "Service"
    case endpoints = "Endpoints"
    case endpointSlice = "EndpointSlice"
    case policyLogging = "PolicyLogging"

    /// As documents have it.
    var kind: String { self == .calicoNetworkPolicy ? "NetworkPolicy" : rawValue }

    var apiVersion: String {
        switch self {
        case .networkPolicy: "networking.k8s.io/v1"
        case .ciliumNetworkPolicy, .ciliumClusterwideNetworkPolicy, .ciliumCIDRGroup: "cilium.io/v2"
        case .adminNetworkPolicy, .baselineAdminNetworkPolicy: "policy.networking.k8s.io/v1alpha1"
        case .clusterNetworkPolicy: "policy.networking.k8s.io/v1alpha2"
        case .calicoNetworkPolicy, .calicoGlobalNetworkPolicy, .stagedNetworkPolicy, .stagedGlobalNetworkPolicy,
            .stagedKubernetesNetworkPolicy, .tier, .networkSet, .globalNetworkSet, .profile, .hostEndpoint:
            "projectcalico.org/v3"
        case .node, .service, .endpoints: "v1"
        case .endpointSlice: "discovery.k8s.io/v1"
        case .policyLogging: "bulkhead.dev/v1alpha1"
        }
    }

    /// All that are read: the current one, and older ones that mean the same.
    var apiVersions: [String] { [apiVersion] + (self == .ciliumCIDRGroup ? ["cilium.io/v2alpha1"] : []) }

    var isNamespaced: Bool {
        switch self {
        case .networkPolicy, .ciliumNetworkPolicy, .calicoNetworkPolicy, .stagedNetworkPolicy,
            .stagedKubernetesNetworkPolicy, .networkSet, .service, .endpoints, .endpointSlice:
            true
        default: false
        }
    }

    /// The enforced kind that a staged one is about; nil: it is none.
    var unstaged: Dialect? {
        switch self {
        case .stagedNetworkPolicy: .calicoNetworkPolicy
        case .stagedGlobalNetworkPolicy: .calicoGlobalNetworkPolicy
        case .stagedKubernetesNetworkPolicy: .networkPolicy
        default: nil
        }
    }

    /// Policies that are evaluated beside those in force, whatever they say.
    var isStaged: Bool { unstaged != nil }

    private var isCilium: Bool { self == .ciliumNetworkPolicy || self == .ciliumClusterwideNetworkPolicy }

    /// `status` is written by controllers and says nothing.
    var documentFields: FieldTable {
        let own =
            switch self {
            case .endpoints: ClusterObjectReading.endpointsFields
            case .endpointSlice: ClusterObjectReading.sliceFields
            default: ["spec"] + (isCilium ? ["specs"] : []) + ["status"]
            }
        return FieldTable(["apiVersion", "kind", "metadata"] + own)
    }

    static let listing = allCases.map { "\($0.kind) (\($0.apiVersion))" }.joined(separator: ", ")
}
