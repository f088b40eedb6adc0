// SPDX-License-Identifier: Apache-2.0

/// What every object of the API has.
package struct ObjectMeta: Hashable, Sendable {
    package var name: String?
    package var namespace: String?
    package var uid: String?
    /// Opaque: good for comparing with itself and for going on from there.
    package var resourceVersion: String?
    package var generation: Int?
    package var labels: [String: String]?
    package var annotations: [String: String]?
    /// RFC 3339.
    package var creationTimestamp: String?
    /// RFC 3339; set once somebody deleted it, while it still exists.
    package var deletionTimestamp: String?

    package init(name: String? = nil, namespace: String? = nil, labels: [String: String]? = nil) {
        self.name = name
        self.namespace = namespace
        self.labels = labels
    }
}

extension ObjectMeta {
    /// Reads the metadata of an object; what it lacks, or has otherwise than expected, is nil.
    package init(of object: JSONView) {
        let metadata = object["metadata"]
        name = metadata?["name"]?.string
        namespace = metadata?["namespace"]?.string
        uid = metadata?["uid"]?.string
        resourceVersion = metadata?["resourceVersion"]?.string
        generation = metadata?["generation"]?.integer
        labels = metadata?["labels"]?.strings
        annotations = metadata?["annotations"]?.strings
        creationTimestamp = metadata?["creationTimestamp"]?.string
        deletionTimestamp = metadata?["deletionTimestamp"]?.string
    }
}

/// Which object, among those of its kind.
package struct ObjectKey: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Empty: of a kind that has none.
    package var namespace: String
    package var name: String

    package init(namespace: String = "", name: String) {
        self.namespace = namespace
        self.name = name
    }

    package init(_ meta: ObjectMeta) {
        self.init(namespace: meta.namespace ?? "", name: meta.name ?? "")
    }

    /// `<namespace>/<name>`, or the name alone.
    package var description: String { namespace.isEmpty ? name : "\(namespace)/\(name)" }

    package static func < (a: ObjectKey, b: ObjectKey) -> Bool { (a.namespace, a.name) < (b.namespace, b.name) }
}

/// An object as the server wrote it, with as much of it decoded as tells which it is.
package struct RawObject: Hashable, Sendable {
    package var meta: ObjectMeta
    /// JSON.
    package var text: [UInt8]

    package init(meta: ObjectMeta, text: [UInt8]) {
        self.meta = meta
        self.text = text
    }

    /// Nil: it has no name, or labels that are none.
    package init?(_ object: JSONView) {
        let meta = ObjectMeta(of: object)
        guard meta.name?.isEmpty == false else { return nil }
        // One that is left out may be the one that a policy selects by.
        if let labels = object["metadata"]?["labels"], labels.keys.count != meta.labels?.count { return nil }
        self.init(meta: meta, text: Array(object.bytes))
    }

    package var key: ObjectKey { ObjectKey(meta) }

    /// The object, to be read.
    /// - Throws: if the text is not JSON.
    package var view: JSONView {
        get throws(JSONError) { try JSONView(text) }
    }
}
