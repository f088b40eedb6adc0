// SPDX-License-Identifier: Apache-2.0

extension KubernetesClient {
    /// Reads one object.
    /// - Throws: `notFound` without it.
    package func get(_ kind: ResourceKind, _ key: ObjectKey) async throws(KubernetesError) -> RawObject {
        try await object("GET", kind.path(key))
    }

    /// Creates an object.
    /// - Throws: `conflict` if there is one of this name.
    package func create(_ kind: ResourceKind, namespace: String = "", _ object: JSONValue) async throws(KubernetesError)
        -> RawObject
    {
        try await self.object("POST", kind.path(namespace: namespace), Content(object.bytes))
    }

    /// Puts an object in the place of another; the resourceVersion in its metadata must be the other's.
    /// - Throws: `conflict` if somebody changed it meanwhile: read again.
    package func replace(_ kind: ResourceKind, _ key: ObjectKey, _ object: JSONValue) async throws(KubernetesError)
        -> RawObject
    {
        try await self.object("PUT", kind.path(key), Content(object.bytes))
    }

    /// Server-side apply: the fields of `object` become as they are there, fields that `manager` set before and that are not
    /// there any more go, and all others stay; creates what does not exist.
    /// - Parameters:
    ///   - manager: who owns these fields.
    ///   - subresource: `status`, or nil for the object itself.
    package func apply(
        _ kind: ResourceKind, _ key: ObjectKey, _ object: JSONValue, manager: String, subresource: String? = nil
    ) async throws(KubernetesError) -> RawObject {
        var object = object
        object["apiVersion"] = .string(kind.apiVersion)
        object["kind"] = .string(kind.kind)
        var metadata = object["metadata"] ?? [:]
        metadata["name"] = .string(key.name)
        if kind.isNamespaced { metadata["namespace"] = .string(key.namespace) }
        object["metadata"] = metadata
        let target =
            kind.path(key, subresource: subresource) + "?fieldManager=\(WatchQuery.encoded(manager))&force=true"
        // JSON is YAML.
        return try await self.object("PATCH", target, Content(object.bytes, type: "application/apply-patch+yaml"))
    }

    /// Merges some fields into an object (RFC 7396: null removes, a list takes the place of a list).
    /// - Throws: `notFound` without it.
    package func merge(
        _ kind: ResourceKind, _ key: ObjectKey, _ fields: JSONValue, subresource: String? = nil
    ) async throws(KubernetesError) -> RawObject {
        try await object(
            "PATCH", kind.path(key, subresource: subresource),
            Content(fields.bytes, type: "application/merge-patch+json"))
    }

    /// Merges some fields into the status of an object, as `merge` does.
    package func patchStatus(
        _ kind: ResourceKind, _ key: ObjectKey, _ status: JSONValue
    ) async throws(KubernetesError) -> RawObject {
        try await merge(kind, key, ["status": status], subresource: "status")
    }

    /// Deletes an object.
    /// - Parameter uid: nothing is deleted if the object of this name is another by now.
    /// - Returns: false if there was none.
    @discardableResult
    package func delete(_ kind: ResourceKind, _ key: ObjectKey, uid: String? = nil) async throws(KubernetesError)
        -> Bool
    {
        var options: JSONValue = ["kind": "DeleteOptions", "apiVersion": "v1"]
        if let uid { options["preconditions"] = ["uid": .string(uid)] }
        do throws(KubernetesError) {
            _ = try await send("DELETE", kind.path(key), Content(options.bytes))
            return true
        } catch {
            guard error.kind == .notFound else { throw error }
            return false
        }
    }

    private func object(
        _ method: String, _ target: String, _ content: Content? = nil
    ) async throws(KubernetesError) -> RawObject {
        let bytes = try await send(method, target, content)
        guard let view = try? JSONView(bytes), let object = RawObject(view) else {
            throw KubernetesError(.malformed, "\(method) \(target): the answer is no object")
        }
        return object
    }
}

extension ResourceKind {
    /// The path of one object, or of a part of it.
    package func path(_ key: ObjectKey, subresource: String? = nil) -> String {
        path(
            namespace: isNamespaced ? WatchQuery.encoded(key.namespace) : nil, name: WatchQuery.encoded(key.name),
            subresource: subresource)
    }
}
