// SPDX-License-Identifier: Apache-2.0

/// Creations, updates and deletions, inside the store's lock.
struct WriteRequest {
    var target: ResourceTarget
    var definition: ResourceDefinition
    var request: APIRequest

    private var resource: ResourceName { target.resource }
    private var namespace: String { definition.isNamespaced ? target.namespace ?? "" : "" }

    func body() throws(APIError) -> JSON {
        do { return try JSON(parsing: request.body) } catch {
            throw .badRequest("couldn't get version/kind; json parse error: \(error)")
        }
    }

    func create(_ state: inout StoreState) throws(APIError) -> StoredObject {
        try insert(try body(), &state)
    }

    /// Stores a new object after the checks of a creation.
    func insert(_ sent: JSON, _ state: inout StoreState) throws(APIError) -> StoredObject {
        var object = sent
        if object["metadata", "name"]?.text ?? "" == "", let prefix = object["metadata", "generateName"]?.text {
            let letters = Array("bcdfghjklmnpqrstvwxz2456789")
            object["metadata", "name"] = .string(prefix + String((0..<5).compactMap { _ in letters.randomElement() }))
        }
        let name = object["metadata", "name"]?.text ?? ""
        try checkScope(&object)
        try ObjectRules.check(object, of: definition, name: name)
        if definition.isNamespaced, state.object(.namespaces, namespace: "", name: namespace) == nil {
            throw .notFound(.namespaces, namespace)
        }
        if !(object["metadata", "resourceVersion"]?.text ?? "").isEmpty {
            throw .badRequest("resourceVersion should not be set on objects to be created")
        }
        if state.object(resource, namespace: namespace, name: name) != nil { throw .alreadyExists(resource, name) }
        if definition.hasStatus { object["status"] = nil }
        // These are the server's to say.
        for key in ["uid", "creationTimestamp", "deletionTimestamp", "generation"] { object["metadata", key] = nil }
        return try store(object, previous: nil, &state)
    }

    func update(_ state: inout StoreState) throws(APIError) -> StoredObject {
        let name = target.name ?? ""
        let sent = try body()
        if let sentName = sent["metadata", "name"]?.text, sentName != name {
            throw .badRequest("the name of the object (\(sentName)) does not match the name on the URL (\(name))")
        }
        guard let stored = state.object(resource, namespace: namespace, name: name) else {
            throw .notFound(resource, name)
        }
        let version = sent["metadata", "resourceVersion"]?.text ?? ""
        if version.isEmpty, !definition.allowsUnconditionalUpdate {
            throw .invalid(
                definition, name,
                causes: [
                    (
                        "metadata.resourceVersion", "FieldValueInvalid",
                        "Invalid value: 0: must be specified for an update"
                    )
                ])
        }
        return try replace(stored, with: sent, &state)
    }

    /// Replaces an object by what a client made of it; each half is written through its own path.
    func replace(
        _ stored: StoredObject, with sent: JSON, _ state: inout StoreState
    ) throws(APIError) -> StoredObject {
        let version = sent["metadata", "resourceVersion"]?.text ?? ""
        if !version.isEmpty, version != String(stored.version) { throw .conflict(resource, stored.name) }
        let previous = stored.document(of: definition)
        if let uid = sent["metadata", "uid"]?.text, uid != previous["metadata", "uid"]?.text {
            throw .conflict(
                resource, stored.name,
                "Precondition failed: UID in precondition: \(uid), UID in object meta: "
                    + (previous["metadata", "uid"]?.text ?? ""))
        }
        var object = sent
        object["metadata", "name"] = .string(stored.name)
        try checkScope(&object)
        if target.subresource == "status" {
            object = previous
            object["status"] = sent["status"]
            object["metadata", "managedFields"] = sent["metadata", "managedFields"]
        } else if definition.hasStatus {
            object["status"] = previous["status"]
        }
        for key in ["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] {
            object["metadata", key] = previous["metadata", key]
        }
        try ObjectRules.check(object, of: definition, name: stored.name)
        let finalizers = object["metadata", "finalizers"]?.elements ?? []
        if object["metadata", "deletionTimestamp"] != nil, finalizers.isEmpty,
            object["metadata", "deletionGracePeriodSeconds"]?.integer ?? 0 == 0
        {
            return try erase(stored, &state)
        }
        return try store(object, previous: previous, &state)
    }

    private func store(
        _ object: JSON, previous: JSON?, _ state: inout StoreState
    ) throws(APIError) -> StoredObject {
        var object = object
        object["kind"] = .string(definition.kind)
        object["apiVersion"] = .string(definition.apiVersion(definition.versions[0]))
        ObjectDefaults.complete(&object, of: definition, previous: previous)
        object["metadata", "resourceVersion"] = previous?["metadata", "resourceVersion"]
        let isApply = request.method == "PATCH" && request.headers["content-type"]?.contains("apply-patch") == true
        if !isApply { noteOwnership(in: &object, previous: previous) }
        // A write that changes nothing makes no new version.
        if let previous, previous == object,
            let stored = state.object(resource, namespace: namespace, name: object["metadata", "name"]?.text ?? "")
        {
            return stored
        }
        let stored = state.put(object, in: resource)
        if resource == .customResourceDefinitions { try CustomResources.serve(object, in: &state) }
        return stored
    }

    func delete(_ state: inout StoreState) throws(APIError) -> StoredObject {
        let name = target.name ?? ""
        guard let stored = state.object(resource, namespace: namespace, name: name) else {
            throw .notFound(resource, name)
        }
        return try delete(stored, &state)
    }

    /// Deletes as the server does: at once, or by marking what finalizers or a kubelet still have to let go.
    func delete(_ stored: StoredObject, _ state: inout StoreState) throws(APIError) -> StoredObject {
        let options = request.body.isEmpty ? [:] : try body()
        var object = stored.document(of: definition)
        for (field, now) in [
            ("uid", object["metadata", "uid"]?.text), ("resourceVersion", object["metadata", "resourceVersion"]?.text),
        ] {
            guard let wanted = options["preconditions", field]?.text, wanted != now else { continue }
            throw .conflict(
                resource, stored.name,
                "the \(field) in the precondition (\(wanted)) does not match the "
                    + "\(field) in record (\(now ?? "")). The object might have been deleted and then recreated")
        }
        let asked = options["gracePeriodSeconds"]?.integer ?? request.query["gracePeriodSeconds"].flatMap(Int.init)
        let isScheduledPod = resource == .pods && stored.nodeName != nil
        let usual = isScheduledPod ? object["spec", "terminationGracePeriodSeconds"]?.integer ?? 30 : 0
        let grace = isScheduledPod ? asked ?? usual : 0
        let finalizers = object["metadata", "finalizers"]?.elements ?? []
        guard grace > 0 || !finalizers.isEmpty else { return try erase(stored, &state) }
        let previous = object
        if object["metadata", "deletionTimestamp"] == nil {
            object["metadata", "deletionTimestamp"] = .string(ObjectDefaults.now(plus: Double(grace)))
        }
        object["metadata", "deletionGracePeriodSeconds"] = JSON(integerLiteral: grace)
        return try store(object, previous: previous, &state)
    }

    /// Takes an object away, and with a namespace or definition all that hangs on it.
    private func erase(_ stored: StoredObject, _ state: inout StoreState) throws(APIError) -> StoredObject {
        if resource == .namespaces {
            for (other, content) in state.resources {
                for object in content.table.all(in: stored.name) {
                    state.remove(other, namespace: object.namespace, name: object.name)
                }
            }
        }
        if resource == .customResourceDefinitions {
            CustomResources.withdraw(stored.document(of: definition), from: &state)
        }
        return state.remove(resource, namespace: stored.namespace, name: stored.name) ?? stored
    }

    /// The namespace of the URL counts; one in the object must be the same.
    private func checkScope(_ object: inout JSON) throws(APIError) {
        guard definition.isNamespaced else {
            object["metadata", "namespace"] = nil
            return
        }
        if let named = object["metadata", "namespace"]?.text, !named.isEmpty, named != namespace {
            throw .badRequest(
                "the namespace of the provided object does not match the namespace sent on the request")
        }
        object["metadata", "namespace"] = .string(namespace)
    }
}
