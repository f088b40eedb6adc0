// SPDX-License-Identifier: Apache-2.0

import NIOHTTP1
import Synchronization

/// Answers about objects and lists of them.
struct CollectionAnswer: Sendable {
    let double: KubernetesDouble
    let asked: Exchange.Asked
    let place: Place

    func answer() -> Answer {
        switch (asked.method, place.name) {
        case ("GET", nil): list()
        case ("GET", let name?): get(name)
        case ("POST", nil): create()
        case ("PUT", let name?), ("PATCH", let name?): change(name)
        case ("DELETE", let name?): delete(name)
        default: .status(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
        }
    }

    private var namespace: String { place.namespace ?? "" }

    private func get(_ name: String) -> Answer {
        double.store.read { $0.objects[place.collection]?["\(namespace)/\(name)"] }
            .map { Answer(status: 200, json: $0) } ?? .notFound("\(place.collection) \"\(name)\" not found")
    }

    private func list() -> Answer {
        let selection = asked.selection(place)
        if let token = asked.query["continue"] {
            let isExpired = double.faults.withLock { faults in
                defer { faults.expiresContinueTokens = false }
                return faults.expiresContinueTokens
            }
            if isExpired || Int(token.split(separator: ":").first ?? "") == nil {
                return .status(410, "Expired", "The provided continue parameter is too old")
            }
        }
        let token = asked.query["continue"]?.split(separator: ":", maxSplits: 1).map(String.init)
        let limit = asked.query["limit"].flatMap { Int($0) } ?? Int.max
        return double.store.read { content in
            // A list of one version has what was there then: objects that changed since count as they are now.
            let version = token.flatMap { Int($0[0]) } ?? content.version
            if let wanted = asked.query["resourceVersion"], let number = Int(wanted), number > content.version {
                return .status(
                    504, "Timeout", "Too large resource version: \(number), current: \(content.version)",
                    .object(["retryAfterSeconds": .int(1)]))
            }
            let all = (content.objects[place.collection] ?? [:]).sorted { $0.key < $1.key }.filter { key, object in
                selection.includes(object, namespace: String(key.prefix { $0 != "/" }))
            }
            let rest = token.map { token in all.filter { $0.key > token[1] } } ?? all
            let page = rest.prefix(limit)
            var meta: [String: JSON] = ["resourceVersion": .string("\(version)")]
            if page.count < rest.count, let last = page.last {
                meta["continue"] = .string("\(version):\(last.key)")
                meta["remainingItemCount"] = .int(rest.count - page.count)
            }
            return Answer(
                status: 200,
                json: .object([
                    "kind": .string("List"), "apiVersion": .string("v1"), "metadata": .object(meta),
                    "items": .array(page.map { $0.value.withoutKind }),
                ]))
        }
    }

    private func create() -> Answer {
        guard let object = try? JSON(asked.body), let name = object.value(at: "metadata.name")?.text else {
            return .status(422, "Invalid", "metadata.name: Required value")
        }
        return double.store.read { content in
            guard content.objects[place.collection]?["\(namespace)/\(name)"] == nil else {
                return .status(409, "AlreadyExists", "\(place.collection) \"\(name)\" already exists")
            }
            return Answer(status: 201, json: content.set(place.collection, namespace, name, object))
        }
    }

    /// A whole object, or what is to be merged into it; applying is merging here, whoever manages what.
    private func change(_ name: String) -> Answer {
        guard let body = try? JSON(asked.body) else { return .status(400, "BadRequest", "the body is no JSON") }
        return double.store.read { content in
            let old = content.objects[place.collection]?["\(namespace)/\(name)"]
            let isApply = asked.headers.first(name: "Content-Type")?.contains("apply-patch") == true
            guard old != nil || isApply else { return .notFound("\(place.collection) \"\(name)\" not found") }
            if let wanted = body.value(at: "metadata.resourceVersion")?.text,
                wanted != old?.value(at: "metadata.resourceVersion")?.text
            {
                return .status(
                    409, "Conflict", "the object has been modified; please apply your changes to the latest version")
            }
            var new = asked.method == "PUT" ? body : old ?? body
            if asked.method == "PATCH" { new.merge(body) }
            // A subresource changes its own part alone, and all others leave it as it is.
            if place.subresource == "status", var whole = old {
                whole["status"] = new["status"]
                new = whole
            }
            return Answer(status: old == nil ? 201 : 200, json: content.set(place.collection, namespace, name, new))
        }
    }

    private func delete(_ name: String) -> Answer {
        double.store.read { $0.remove(place.collection, namespace, name) }.map { Answer(status: 200, json: $0) }
            ?? .notFound("\(place.collection) \"\(name)\" not found")
    }
}

extension JSON {
    /// Items of a list do not say what they are.
    fileprivate var withoutKind: JSON {
        var copy = self
        copy["kind"] = nil
        copy["apiVersion"] = nil
        return copy
    }
}
