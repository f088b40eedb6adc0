// SPDX-License-Identifier: Apache-2.0

extension DoubleStore {
    /// Creates or replaces the object at a path of the API, as `api/v1/namespaces/shop/pods/web`; what the path says needs
    /// not be said in the object.
    package func set(_ path: String, _ object: JSON = [:]) throws(APIError) {
        let (target, definition) = try resolve(path)
        var object = object
        object["kind"] = .string(definition.kind)
        object["apiVersion"] = .string(definition.apiVersion(target.version))
        object["metadata", "name"] = target.name.map { .string($0) }
        if definition.isNamespaced { object["metadata", "namespace"] = target.namespace.map { .string($0) } }
        try apply(object)
    }

    /// Removes the object at a path of the API at once.
    /// - Returns: whether it was there.
    @discardableResult
    package func remove(_ path: String) throws(APIError) -> Bool {
        let (target, _) = try resolve(path)
        return remove(target.resource, namespace: target.namespace ?? "", name: target.name ?? "")
    }

    private func resolve(_ path: String) throws(APIError) -> (ResourceTarget, ResourceDefinition) {
        let request = APIRequest(method: "GET", uri: path, headers: [])
        guard let target = request.target, target.name != nil,
            let definition = withState({ $0.resources[target.resource]?.definition })
        else { throw .noSuchPath }
        return (target, definition)
    }
}
