// SPDX-License-Identifier: Apache-2.0

/// Who owns which fields of an object: what server-side apply is about.
///
/// Simplified: lists are owned whole unless they are known as maps, and an element of such a list is owned by its fields.
struct ManagedFields {
    struct Entry {
        var manager: String
        var operation: String
        var subresource: String
        var apiVersion: String
        var time: JSON
        var fields: Set<FieldPath>

        var isApply: Bool { operation == "Apply" }
    }

    private(set) var entries: [Entry]

    init(of object: JSON?) {
        entries = (object?["metadata", "managedFields"]?.elements ?? []).map { entry in
            Entry(
                manager: entry["manager"]?.text ?? "", operation: entry["operation"]?.text ?? "",
                subresource: entry["subresource"]?.text ?? "", apiVersion: entry["apiVersion"]?.text ?? "",
                time: entry["time"] ?? .null, fields: FieldTree.paths(entry["fieldsV1"] ?? [:]))
        }
    }

    /// `metadata.managedFields`.
    var document: JSON {
        .array(
            entries.map { entry in
                var document: JSON = [
                    "manager": .string(entry.manager), "operation": .string(entry.operation),
                    "apiVersion": .string(entry.apiVersion), "time": entry.time, "fieldsType": "FieldsV1",
                    "fieldsV1": FieldTree.document(entry.fields),
                ]
                if !entry.subresource.isEmpty { document["subresource"] = .string(entry.subresource) }
                return document
            })
    }

    /// Gives fields to an owner, by this operation; an entry that owns nothing any more goes.
    mutating func assign(_ fields: Set<FieldPath>, to owner: Entry, replacing: Bool) {
        if let index = index(of: owner) {
            let all = replacing ? fields : entries[index].fields.union(fields)
            guard all != entries[index].fields else { return }
            entries[index].fields = all
            entries[index].time = owner.time
        } else {
            var owner = owner
            owner.fields = fields
            entries.append(owner)
        }
        entries.removeAll { $0.fields.isEmpty }
    }

    /// Takes fields from everybody but one owner.
    mutating func take(_ fields: Set<FieldPath>, fromAllBut owner: Entry) {
        let own = index(of: owner)
        for index in entries.indices where index != own { entries[index].fields.subtract(fields) }
        entries.removeAll { $0.fields.isEmpty && !Self.isSame($0, owner) }
    }

    /// What an owner has had until now.
    func fields(of owner: Entry) -> Set<FieldPath> { index(of: owner).map { entries[$0].fields } ?? [] }

    /// The entries of everybody else.
    func others(than owner: Entry) -> [Entry] { entries.filter { !Self.isSame($0, owner) } }

    private func index(of owner: Entry) -> Int? { entries.firstIndex { Self.isSame($0, owner) } }

    private static func isSame(_ left: Entry, _ right: Entry) -> Bool {
        left.manager == right.manager && left.operation == right.operation && left.subresource == right.subresource
    }

    /// Fields that nobody owns: they say which object it is, or are the server's.
    static func owned(_ object: JSON, _ definition: ResourceDefinition) -> Set<FieldPath> {
        var object = object
        for key in ["kind", "apiVersion"] { object[key] = nil }
        for key in [
            "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields",
            "generateName", "deletionTimestamp", "deletionGracePeriodSeconds",
        ] { object["metadata", key] = nil }
        if object["metadata"]?.members?.isEmpty == true { object["metadata"] = nil }
        return object.fieldPaths(mapLists: definition.mapLists)
    }
}

extension WriteRequest {
    /// The owner in whose name this request writes.
    func owner(operation: String) -> ManagedFields.Entry {
        let agent = request.headers["user-agent"].map { String($0.prefix { $0 != "/" }) }
        return ManagedFields.Entry(
            manager: request.query["fieldManager"] ?? agent ?? "unknown", operation: operation,
            subresource: target.subresource ?? "", apiVersion: definition.apiVersion(target.version),
            time: .string(ObjectDefaults.now()), fields: [])
    }

    /// Notes who owns what after a write that was no apply: what it changed is its author's.
    func noteOwnership(in object: inout JSON, previous: JSON?) {
        var managed = ManagedFields(of: previous)
        let now = ManagedFields.owned(object, definition)
        let changed = now.filter { object.field(at: $0[...]) != previous?.field(at: $0[...]) }
        let gone = previous.map { ManagedFields.owned($0, definition).subtracting(now) } ?? []
        let owner = owner(operation: "Update")
        managed.take(changed.union(gone), fromAllBut: owner)
        managed.assign(managed.fields(of: owner).union(changed).subtracting(gone), to: owner, replacing: true)
        object["metadata", "managedFields"] = managed.entries.isEmpty ? nil : managed.document
    }

    /// Server-side apply: what is sent becomes the sender's, what the sender owned and left out goes, and what belongs to
    /// others must be the same, or be taken by force.
    func apply(_ stored: StoredObject?, _ state: inout StoreState) throws(APIError) -> (StoredObject, isNew: Bool) {
        let name = target.name ?? ""
        guard let manager = request.query["fieldManager"], !manager.isEmpty else {
            throw .invalid(
                ResourceDefinition(group: "meta.k8s.io", "patchoptions", kind: "PatchOptions"), "",
                causes: [("fieldManager", "FieldValueRequired", "Required value: is required for apply patch")])
        }
        var applied = try body()
        guard applied["kind"]?.text == definition.kind, applied["apiVersion"]?.text != nil else {
            throw .badRequest("apply patch of \(definition.kind) needs its kind and apiVersion")
        }
        if (applied["metadata", "name"]?.text ?? name) != name {
            throw .badRequest("metadata.name does not match the name on the URL (\(name))")
        }
        if applied["metadata", "managedFields"] != nil {
            throw .badRequest("metadata.managedFields must be nil")
        }
        applied["metadata", "name"] = .string(name)
        if definition.hasStatus, target.subresource == nil { applied["status"] = nil }
        guard stored != nil || target.subresource == nil else { throw .notFound(target.resource, name) }

        let live = stored?.document(of: definition)
        var managed = ManagedFields(of: live)
        let owner = owner(operation: "Apply")
        let fields = ManagedFields.owned(applied, definition)
        try refuseConflicts(fields, applied, live, managed.others(than: owner))
        let leftOut = managed.fields(of: owner).subtracting(fields)
            .subtracting(managed.others(than: owner).reduce(into: []) { $0.formUnion($1.fields) })
        let taken = fields.filter { applied.field(at: $0[...]) != live?.field(at: $0[...]) }
        managed.take(taken, fromAllBut: owner)
        managed.assign(fields, to: owner, replacing: true)

        var object = live?.merging(applied, mapLists: definition.mapLists) ?? applied
        for path in leftOut { object.remove(path[...]) }
        object["metadata", "managedFields"] = managed.document
        guard let stored else { return (try insert(object, &state), true) }
        return (try replace(stored, with: object, &state), false)
    }

    private func refuseConflicts(
        _ fields: Set<FieldPath>, _ applied: JSON, _ live: JSON?, _ others: [ManagedFields.Entry]
    ) throws(APIError) {
        guard let live, !request.isSet("force") else { return }
        var causes: [JSON] = []
        for other in others {
            for path in other.fields.intersection(fields).sorted(by: { $0.lexicographicallyPrecedes($1) })
            where live.field(at: path[...]) != applied.field(at: path[...]) {
                let field = path.map { $0.hasPrefix("f:") ? ".\($0.dropFirst(2))" : "[\($0.dropFirst(2))]" }.joined()
                causes.append([
                    "reason": "FieldManagerConflict",
                    "message": .string("conflict with \"\(other.manager)\" using \(other.apiVersion)"),
                    "field": .string(field),
                ])
            }
        }
        guard !causes.isEmpty else { return }
        throw APIError(
            code: 409, reason: "Conflict",
            message: "Apply failed with \(causes.count) conflict\(causes.count == 1 ? "" : "s")",
            details: JSONObject([("causes", .array(causes))]))
    }
}
