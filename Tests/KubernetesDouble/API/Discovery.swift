// SPDX-License-Identifier: Apache-2.0

/// What the server is and serves: health, version and the lists of resources.
struct Discovery {
    var store: DoubleStore

    func answer(to request: APIRequest) throws(APIError) -> Answer {
        guard request.method == "GET" else { throw .noSuchPath }
        let resources = store.withState { $0.resources.values.map(\.definition) }
            .sorted { ($0.name.group, $0.name.plural) < ($1.name.group, $1.name.plural) }
        switch (request.path.first, request.path.count) {
        case ("healthz", _), ("readyz", _), ("livez", _):
            return Answer(code: 200, contentType: "text/plain; charset=utf-8", body: Array("ok".utf8))
        case ("version", 1):
            return Answer([
                "major": "1", "minor": "36", "gitVersion": "v1.36.0", "gitCommit": "0", "gitTreeState": "clean",
                "buildDate": "2026-01-01T00:00:00Z", "goVersion": "none", "compiler": "none", "platform": "linux/amd64",
            ])
        case ("api", 1):
            return Answer(["kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []])
        case ("api", 2): return Answer(try list(resources, group: "", version: request.path[1]))
        case ("apis", 1):
            let groups = Set(resources.map(\.name.group)).subtracting([""]).sorted()
            return Answer([
                "kind": "APIGroupList", "apiVersion": "v1", "groups": .array(groups.map { group($0, resources) }),
            ])
        case ("apis", 2) where resources.contains { $0.name.group == request.path[1] }:
            var group = group(request.path[1], resources)
            group["kind"] = "APIGroup"
            group["apiVersion"] = "v1"
            return Answer(group)
        case ("apis", 3): return Answer(try list(resources, group: request.path[1], version: request.path[2]))
        default: throw .noSuchPath
        }
    }

    private func group(_ name: String, _ resources: [ResourceDefinition]) -> JSON {
        var versions: [JSON] = []
        for version in resources.filter({ $0.name.group == name }).flatMap(\.versions) {
            let entry: JSON = ["groupVersion": .string("\(name)/\(version)"), "version": .string(version)]
            if !versions.contains(entry) { versions.append(entry) }
        }
        return ["name": .string(name), "versions": .array(versions), "preferredVersion": versions.first ?? [:]]
    }

    private func list(
        _ resources: [ResourceDefinition], group: String, version: String
    ) throws(APIError) -> JSON {
        let served = resources.filter { $0.name.group == group && $0.versions.contains(version) }
        guard let first = served.first else { throw .noSuchPath }
        let verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
        var entries: [JSON] = []
        for resource in served {
            var entry: JSON = [
                "name": .string(resource.name.plural), "singularName": .string(resource.kind.lowercased()),
                "namespaced": .bool(resource.isNamespaced), "kind": .string(resource.kind), "verbs": verbs.json,
            ]
            if !resource.shortNames.isEmpty { entry["shortNames"] = resource.shortNames.json }
            entries.append(entry)
            if resource.hasStatus {
                entries.append([
                    "name": .string("\(resource.name.plural)/status"), "singularName": "",
                    "namespaced": .bool(resource.isNamespaced), "kind": .string(resource.kind),
                    "verbs": ["get", "patch", "update"],
                ])
            }
        }
        return [
            "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": .string(first.apiVersion(version)),
            "resources": .array(entries),
        ]
    }
}

extension [String] {
    /// A list of texts.
    var json: JSON { .array(map { .string($0) }) }
}
