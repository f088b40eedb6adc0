// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import PolicyModel

/// Lowers one element of `toServices`: services by name or by their labels.
///
/// What stands behind a service is known from documents of the kinds Service, Endpoints and EndpointSlice; a service that
/// nobody described selects nothing.
enum CiliumServiceReading {
    private static let fields = FieldTable(["k8sService", "k8sServiceSelector"])
    private static let nameFields = FieldTable(["serviceName", "namespace"])
    private static let selectorFields = FieldTable(["selector", "namespace"])

    /// What the element selects; nothing after an error.
    static func read(_ field: Field) -> [PeerSelector] {
        guard let mapping = field.mapping(fields) else { return [] }
        if mapping.has("k8sService"), mapping.has("k8sServiceSelector") {
            mapping.keyField("k8sServiceSelector")?.error(
                .mixedPeers, "one element has both k8sService and k8sServiceSelector",
                remedy: "write two elements (`- `)")
            return []
        }
        if let service = mapping["k8sService"] { return named(service) }
        if let service = mapping["k8sServiceSelector"] { return labelled(service) }
        if mapping.pairs.isEmpty {
            field.error(
                .missingField, "an element of toServices needs k8sService or k8sServiceSelector",
                remedy: "write `k8sService: {serviceName: NAME, namespace: NAMESPACE}`")
        }
        return []
    }

    private static func named(_ field: Field) -> [PeerSelector] {
        guard let mapping = field.mapping(nameFields), let nameField = mapping.required("serviceName"),
            let name = nameField.string()
        else { return [] }
        let namespace = namespace(mapping)
        if name == "kubernetes", namespace == "default" {
            nameField.error(
                .unsupportedServices, "the service of the API server cannot be selected here",
                remedy: "write `toEntities: [kube-apiserver]` in an element of its own")
            return []
        }
        let isNamed = LabelRequirement.equal(
            source: LabelSource.service, key: ClusterObjects.serviceKey, value: name)
        return select([isNamed], in: namespace)
    }

    private static func labelled(_ field: Field) -> [PeerSelector] {
        guard let mapping = field.mapping(selectorFields),
            let selector = mapping.required("selector").flatMap({ SelectorReading(keys: .pods).read($0) })
        else { return [] }
        let isService = LabelRequirement(source: LabelSource.service, key: ClusterObjects.serviceKey, .exists)
        return select(selector.ofSource(LabelSource.service).requirements + [isService], in: namespace(mapping))
    }

    /// Missing or empty: every namespace.
    private static func namespace(_ mapping: Mapping) -> String? {
        mapping["namespace"].flatMap { $0.string() }.flatMap { $0.isEmpty ? nil : $0 }
    }

    private static func select(_ requirements: [LabelRequirement], in namespace: String?) -> [PeerSelector] {
        let place = namespace.map {
            LabelRequirement.equal(source: LabelSource.service, key: ClusterObjects.serviceNamespaceKey, value: $0)
        }
        let services = LabelSelector(requirements + (place.map { [$0] } ?? []))
        func with(_ operation: LabelRequirement.Operator) -> LabelSelector {
            services.requiring(
                LabelRequirement(source: LabelSource.service, key: WellKnownLabel.serviceAddresses, operation))
        }
        // Addresses mean what is outside, as in toCIDR.
        let isInside = LabelRequirement(source: LabelSource.reserved, key: "world", .doesNotExist)
        return [
            .group(with(.doesNotExist)),
            .narrowed(.group(with(.exists)), PeerCondition(notLabels: [LabelSelector([isInside])])),
        ]
    }
}
