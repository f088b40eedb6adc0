// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// The objects of a server, and what became of them, version by version.
final class ObjectStore: Sendable {
    /// A kind: `api/v1/pods`, `apis/networking.k8s.io/v1/networkpolicies`.
    typealias Collection = String

    struct Event: Sendable {
        var version: Int
        var type: String
        var namespace: String
        var object: JSON
        /// As it was before: a watch by selector is told that it left.
        var former: JSON?
    }

    struct Content: Sendable {
        var version = 1
        /// Versions before this one are forgotten.
        var compacted = 0
        var objects: [Collection: [String: JSON]] = [:]
        var events: [Collection: [Event]] = [:]

        /// Creates or changes an object; returns it as it is now.
        mutating func set(_ collection: Collection, _ namespace: String, _ name: String, _ object: JSON) -> JSON {
            version += 1
            let key = "\(namespace)/\(name)"
            let former = objects[collection]?[key]
            var object = object
            var meta = object["metadata"] ?? .object([:])
            meta["name"] = .string(name)
            if !namespace.isEmpty { meta["namespace"] = .string(namespace) }
            meta["resourceVersion"] = .string("\(version)")
            meta["uid"] = former?.value(at: "metadata.uid") ?? meta["uid"] ?? .string("uid-\(version)")
            meta["creationTimestamp"] =
                former?.value(at: "metadata.creationTimestamp") ?? meta["creationTimestamp"]
                ?? .string("2026-01-01T00:00:00Z")
            object["metadata"] = meta
            objects[collection, default: [:]][key] = object
            let type = former == nil ? "ADDED" : "MODIFIED"
            events[collection, default: []].append(
                Event(version: version, type: type, namespace: namespace, object: object, former: former))
            return object
        }

        mutating func remove(_ collection: Collection, _ namespace: String, _ name: String) -> JSON? {
            guard var object = objects[collection]?.removeValue(forKey: "\(namespace)/\(name)") else { return nil }
            version += 1
            let former = object
            if var meta = object["metadata"] {
                meta["resourceVersion"] = .string("\(version)")
                object["metadata"] = meta
            }
            events[collection, default: []].append(
                Event(version: version, type: "DELETED", namespace: namespace, object: object, former: former))
            return object
        }
    }

    private let content = Mutex(Content())

    func read<Value: Sendable>(_ body: (inout Content) -> Value) -> Value { content.withLock { body(&$0) } }
}

/// Which objects of a collection are meant.
struct Selection: Sendable {
    var namespace: String?
    var fields: [(path: String, value: String)] = []
    var labels: [(key: String, value: String)] = []

    func includes(_ object: JSON, namespace own: String) -> Bool {
        (namespace == nil || namespace == own)
            && fields.allSatisfy { (object.value(at: $0.path)?.text ?? "") == $0.value }
            && labels.allSatisfy { object.value(at: "metadata.labels")?[$0.key]?.text == $0.value }
    }
}
