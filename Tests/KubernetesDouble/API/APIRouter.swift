// SPDX-License-Identifier: Apache-2.0

/// Answers requests from the store, as the real server would without faults.
struct APIRouter: Sendable {
    var store: DoubleStore

    func reply(to request: APIRequest, rewindTo past: Int? = nil) -> Reply {
        do {
            if let target = request.target { return try reply(to: request, target: target, rewindTo: past) }
            return .answer(try Discovery(store: store).answer(to: request))
        } catch {
            return .answer(Answer(error))
        }
    }

    private func reply(
        to request: APIRequest, target: ResourceTarget, rewindTo past: Int?
    ) throws(APIError) -> Reply {
        guard let verb = request.verb(for: target) else {
            throw APIError(
                code: 405, reason: "MethodNotAllowed",
                message: "the server does not allow this method on the requested resource",
                details: APIError.details(target.resource, target.name ?? ""))
        }
        return try store.withState { state throws(APIError) in
            guard let definition = state.resources[target.resource]?.definition,
                definition.versions.contains(target.version),
                definition.isNamespaced || target.namespace == nil,
                target.subresource == nil || target.subresource == "status" && definition.hasStatus
            else { throw .noSuchPath }
            if definition.isNamespaced, target.namespace == nil, ![.list, .watch, .deletecollection].contains(verb) {
                throw .noSuchPath
            }
            let renderer = try Renderer(
                definition: definition, version: target.version, accept: request.headers["accept"])
            switch verb {
            case .list, .watch:
                let filter = try Self.filter(request, target: target)
                if verb == .watch {
                    let watch = try WatchRequest(request, target: target, filter: filter, renderer: renderer)
                    return .watch(try watch.plan(&state, rewindTo: past))
                }
                let list = try ListRequest(request, target: target, filter: filter, renderer: renderer)
                let body = try list.answer(&state, rewindTo: past)
                return .answer(Answer(code: 200, contentType: "application/json", body: body))
            case .get:
                return .answer(try Self.get(target, definition, renderer, &state, rewindTo: past))
            default:
                let write = WriteRequest(target: target, definition: definition, request: request)
                return .answer(try Self.write(write, verb, renderer, &state))
            }
        }
    }

    private static func filter(_ request: APIRequest, target: ResourceTarget) throws(APIError) -> ObjectFilter {
        ObjectFilter(
            namespace: target.namespace, labels: try LabelSelector(request.query["labelSelector"] ?? ""),
            fields: try FieldSelector(request.query["fieldSelector"] ?? "", of: target.resource))
    }

    private static func get(
        _ target: ResourceTarget, _ definition: ResourceDefinition, _ renderer: Renderer, _ state: inout StoreState,
        rewindTo past: Int?
    ) throws(APIError) -> Answer {
        let name = target.name ?? ""
        let namespace = target.namespace ?? ""
        var stored = state.object(target.resource, namespace: namespace, name: name)
        if let past, let resource = state.resources[target.resource] {
            stored = resource.history.rewind(resource.table, to: past).object(namespace: namespace, name: name)
        }
        guard let stored else { throw .notFound(target.resource, name) }
        return Answer(code: 200, contentType: "application/json", body: renderer.object(stored))
    }

    private static func write(
        _ write: WriteRequest, _ verb: Verb, _ renderer: Renderer, _ state: inout StoreState
    ) throws(APIError) -> Answer {
        func answer(_ object: StoredObject, code: Int = 200) -> Answer {
            Answer(code: code, contentType: "application/json", body: renderer.object(object))
        }
        switch verb {
        case .create: return answer(try write.create(&state), code: 201)
        case .update: return answer(try write.update(&state))
        case .patch:
            let (object, isNew) = try write.patch(&state)
            return answer(object, code: isNew ? 201 : 200)
        case .delete: return answer(try write.delete(&state))
        default:
            let filter = try filter(write.request, target: write.target)
            let all = state.resources[write.target.resource]?.table.all(in: write.target.namespace) ?? []
            let deleted = all.filter(filter.matches)
            for object in deleted {
                var one = write
                one.target.namespace = object.namespace
                one.target.name = object.name
                _ = try one.delete(object, &state)
            }
            let metadata: JSON = ["resourceVersion": .string(String(state.version))]
            return Answer(
                code: 200, contentType: "application/json", body: renderer.list(deleted, metadata: metadata))
        }
    }
}
