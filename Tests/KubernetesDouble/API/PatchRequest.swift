// SPDX-License-Identifier: Apache-2.0

extension WriteRequest {
    /// Patches an object: a merge of documents.
    ///
    /// Strategic merge is told apart from it only by lists that are merged by key, which the double does for the map
    /// lists of the resource.
    func patch(_ state: inout StoreState) throws(APIError) -> (object: StoredObject, isNew: Bool) {
        let type = (request.headers["content-type"] ?? "").prefix { $0 != ";" }
        let name = target.name ?? ""
        let namespace = definition.isNamespaced ? target.namespace ?? "" : ""
        let stored = state.object(target.resource, namespace: namespace, name: name)
        if type == "application/apply-patch+yaml" { return try apply(stored, &state) }
        guard let stored else { throw .notFound(target.resource, name) }
        let patch = try body()
        let document = stored.document(of: definition)
        let merged: JSON
        switch type {
        case "application/merge-patch+json": merged = document.merging(patch, mapLists: [:])
        case "application/strategic-merge-patch+json" where !definition.isCustom:
            merged = document.merging(patch, mapLists: definition.mapLists)
        default:
            throw APIError(
                code: 415, reason: "UnsupportedMediaType",
                message: "the body of the request was in an unknown format - accepted media types include: "
                    + "application/merge-patch+json, application/apply-patch+yaml")
        }
        return (try replace(stored, with: merged, &state), false)
    }
}

extension JSON {
    /// The document after a merge patch (RFC 7386); lists named in `mapLists` are merged by their keys.
    func merging(_ patch: JSON, mapLists: [String: [String]]) -> JSON {
        guard let changes = patch.members else { return patch }
        var object = members ?? JSONObject()
        for (key, change) in changes.members {
            if change == .null {
                object[key] = nil
            } else if let keys = mapLists[key], let elements = change.elements {
                object[key] = .array(Self.merge(object[key]?.elements ?? [], elements, keys: keys, mapLists: mapLists))
            } else {
                object[key] = (object[key] ?? .null).merging(change, mapLists: mapLists)
            }
        }
        return .object(object)
    }

    private static func merge(
        _ present: [JSON], _ changes: [JSON], keys: [String], mapLists: [String: [String]]
    ) -> [JSON] {
        var merged = present
        for change in changes {
            let index = merged.firstIndex { element in keys.allSatisfy { element[$0] == change[$0] } }
            if let index {
                merged[index] = merged[index].merging(change, mapLists: mapLists)
            } else {
                merged.append(change)
            }
        }
        return merged
    }
}
