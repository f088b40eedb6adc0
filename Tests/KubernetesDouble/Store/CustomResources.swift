// SPDX-License-Identifier: Apache-2.0

/// Makes resources appear and disappear with their CustomResourceDefinitions.
enum CustomResources {
    static func definition(from object: JSON) throws(APIError) -> ResourceDefinition {
        guard let group = object["spec", "group"]?.text, let plural = object["spec", "names", "plural"]?.text,
            let kind = object["spec", "names", "kind"]?.text
        else { throw .badRequest("spec.group, spec.names.plural and spec.names.kind are required") }
        let versions = object["spec", "versions"]?.elements ?? []
        let served = versions.filter { $0["served"]?.flag ?? true }
        var definition = ResourceDefinition(
            group: group, plural, kind: kind, versions: served.compactMap { $0["name"]?.text },
            isNamespaced: object["spec", "scope"]?.text != "Cluster",
            hasStatus: versions.contains { $0["subresources", "status"] != nil })
        definition.shortNames = object["spec", "names", "shortNames"]?.elements?.compactMap(\.text) ?? []
        definition.allowsUnconditionalUpdate = false
        definition.isCustom = true
        for version in versions {
            collectMapLists(version["schema", "openAPIV3Schema"] ?? .null, into: &definition.mapLists)
        }
        return definition
    }

    /// Serves what a definition declares, and says so in its status.
    static func serve(_ object: JSON, in state: inout StoreState) throws(APIError) {
        let served = try definition(from: object)
        guard !served.versions.isEmpty else { return }
        state.serve(served)
        var accepted = object
        accepted["status"] = [
            "conditions": ["NamesAccepted", "Established"].jsonConditions,
            "acceptedNames": object["spec", "names"] ?? [:],
            "storedVersions": .array(served.versions.map { .string($0) }),
        ]
        if accepted["status"] != object["status"] { state.put(accepted, in: .customResourceDefinitions) }
    }

    /// Takes a resource away with all its objects; its watches end.
    static func withdraw(_ object: JSON, from state: inout StoreState) {
        guard let served = try? definition(from: object) else { return }
        state.withdraw(served.name)
    }

    /// Lists that the schema declares as maps, by the name of the member that holds them.
    private static func collectMapLists(_ schema: JSON, into lists: inout [String: [String]]) {
        for (key, property) in schema["properties"]?.members?.members ?? [] {
            if property["x-kubernetes-list-type"]?.text == "map" {
                lists[key] = property["x-kubernetes-list-map-keys"]?.elements?.compactMap(\.text) ?? []
            }
            collectMapLists(property, into: &lists)
        }
        if let items = schema["items"] { collectMapLists(items, into: &lists) }
    }
}

extension [String] {
    fileprivate var jsonConditions: JSON {
        .array(map { ["type": .string($0), "status": "True", "reason": .string($0), "message": ""] })
    }
}
