// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel

/// Reads objects of a cluster that rules refer to: Node, Service, Endpoints and EndpointSlice of Kubernetes.
///
/// Each becomes a group: its addresses, or the workloads behind it, with its labels. As `kubectl get -o yaml` prints them:
/// fields that have no meaning for a policy are taken and not looked at.
struct ClusterObjectReading {
    let header: PolicyHeader
    let dialect: Dialect

    static let sliceServiceLabel = "kubernetes.io/service-name"

    static let sliceFields = ["addressType", "endpoints", "ports"]
    static let endpointsFields = ["subsets"]
    private static let serviceFields = FieldTable([
        "selector", "allocateLoadBalancerNodePorts", "clusterIP", "clusterIPs", "externalIPs", "externalName",
        "externalTrafficPolicy", "healthCheckNodePort", "internalTrafficPolicy", "ipFamilies", "ipFamilyPolicy",
        "loadBalancerClass", "loadBalancerIP", "loadBalancerSourceRanges", "ports", "publishNotReadyAddresses",
        "sessionAffinity", "sessionAffinityConfig", "trafficDistribution", "type",
    ])
    private static let nodeAddressFields = FieldTable(["address", "type"])
    private static let subsetFields = FieldTable(["addresses", "notReadyAddresses", "ports"])
    private static let subsetAddressFields = FieldTable(["ip", "hostname", "nodeName", "targetRef"])
    private static let endpointFields = FieldTable([
        "addresses", "conditions", "deprecatedTopology", "hints", "hostname", "nodeName", "targetRef", "zone",
    ])

    func read(_ document: Mapping) -> PolicyContent {
        var content = PolicyContent()
        content.prefixGroup =
            switch dialect {
            case .node: node(document)
            case .service: service(document)
            case .endpoints: endpoints(document)
            default: slice(document)
            }
        return content
    }

    // MARK: The kinds

    private func node(_ document: Mapping) -> PrefixGroup {
        var prefixes: [CIDR] = []
        for element in document["status"]?.entry("addresses")?.elements() ?? [] {
            guard let mapping = element.mapping(ClusterObjectReading.nodeAddressFields),
                let kind = mapping.required("type")?.string(), let address = mapping.required("address")
            else { continue }
            // The others are names.
            guard kind == "InternalIP" || kind == "ExternalIP" else { continue }
            if let prefix = ClusterObjectReading.host(address) { prefixes.append(prefix) }
        }
        let name = Label(source: LabelSource.node, key: ClusterObjects.nodeKey, value: header.reference.name)
        return PrefixGroup(
            labels: labels(document, LabelSource.node, [name]), prefixes: Set(prefixes).sorted(),
            includesWorkloads: true)
    }

    /// Without a selector its addresses are in documents of their own.
    private func service(_ document: Mapping) -> PrefixGroup {
        let spec = document["spec"]?.mapping(ClusterObjectReading.serviceFields)
        let ports = ServicePortReading.targetPorts(spec?.nullable("ports"))
        var group = PrefixGroup(
            labels: labels(document, LabelSource.service, named(header.reference.name) + ports.map(\.label)))
        guard let spec, spec.has("selector"), let selector = spec.nullable("selector"), !selector.node.isNull
        else { return group }
        let wanted = (selector.entries() ?? []).compactMap { entry in
            entry.value.string().map {
                LabelRequirement.equal(source: LabelSource.any, key: entry.key, value: $0)
            }
        }
        if !wanted.isEmpty { group.members = LabelSelector([header.namespaceRequirement] + wanted) }
        return group
    }

    private func endpoints(_ document: Mapping) -> PrefixGroup {
        var prefixes: [CIDR] = []
        var ports: [[ServicePort]] = []
        for subset in document["subsets"]?.elements() ?? [] {
            guard let mapping = subset.mapping(ClusterObjectReading.subsetFields) else { continue }
            ports.append(ServicePortReading.ports(mapping.nullable("ports")))
            if Set(ports[0]) != Set(ports[ports.count - 1]) {
                (mapping.keyField("ports") ?? subset).error(
                    .unsupportedServices, "the subsets have different ports: which address has which is not kept apart",
                    remedy: "write an EndpointSlice for each of them")
            }
            for element in mapping["addresses"]?.elements() ?? [] {
                let address = element.mapping(ClusterObjectReading.subsetAddressFields)?.required("ip")
                if let prefix = address.flatMap(ClusterObjectReading.host) { prefixes.append(prefix) }
            }
        }
        return addresses(document, of: header.reference.name, prefixes, ports.first ?? [])
    }

    /// Workloads and hosts are meant too: rules of Cilium's leave them out.
    private func addresses(
        _ document: Mapping, of service: String, _ prefixes: [CIDR], _ ports: [ServicePort]
    ) -> PrefixGroup {
        let list = Label(source: LabelSource.service, key: WellKnownLabel.serviceAddresses)
        return PrefixGroup(
            labels: labels(document, LabelSource.service, named(service) + [list] + ports.map(\.label)),
            prefixes: Set(prefixes).sorted(), includesWorkloads: true)
    }

    private func slice(_ document: Mapping) -> PrefixGroup {
        let own = document["metadata"]?.child(entriesOf: "labels") ?? []
        let name = own.first { $0.key == ClusterObjectReading.sliceServiceLabel }.flatMap { $0.value.string() }
        if name == nil {
            (document.keyField("metadata") ?? document.field).error(
                .missingField, "an EndpointSlice without the label \(ClusterObjectReading.sliceServiceLabel)",
                remedy: "write the service's name there")
        }
        if let type = document.required("addressType"), let text = type.string(), text != "IPv4", text != "IPv6" {
            type.error(
                .unsupportedServices, "addresses of type \(type.quoted) are not supported",
                remedy: "write IPv4 or IPv6; names are for toFQDNs")
        }
        var prefixes: [CIDR] = []
        for element in document["endpoints"]?.elements() ?? [] {
            guard let mapping = element.mapping(ClusterObjectReading.endpointFields) else { continue }
            // Not said is ready.
            if let ready = mapping["conditions"]?.entry("ready"), !ready.node.isNull, ready.boolean() == false {
                continue
            }
            prefixes += (mapping["addresses"]?.elements() ?? []).compactMap(ClusterObjectReading.host)
        }
        return addresses(
            document, of: name ?? "", prefixes, ServicePortReading.ports(document.nullable("ports")))
    }

    // MARK: What they share

    private func named(_ service: String) -> [Label] {
        [
            Label(source: LabelSource.service, key: ClusterObjects.serviceKey, value: service),
            Label(source: LabelSource.service, key: ClusterObjects.serviceNamespaceKey, value: header.namespace),
        ]
    }

    private func labels(_ document: Mapping, _ source: String, _ names: [Label]) -> LabelSet {
        let own = (document["metadata"]?.child(entriesOf: "labels") ?? []).compactMap { entry in
            entry.value.string().map { Label(source: source, key: entry.key, value: $0) }
        }
        return LabelSet(own + names)
    }

    private static func host(_ field: Field) -> CIDR? {
        guard let text = field.string() else { return nil }
        if let address = IPAddress(text) { return CIDR(host: address) }
        field.error(.invalidCIDR, "\(field.quoted) is not an address", remedy: "write an IPv4 or IPv6 address")
        return nil
    }
}

extension Field {
    /// One entry of a mapping whose other entries do not matter; nil if it is missing or has no value.
    fileprivate func entry(_ key: String) -> Field? {
        entries()?.first { $0.key == key }.map(\.value).flatMap { $0.node.isNull ? nil : $0 }
    }
}
