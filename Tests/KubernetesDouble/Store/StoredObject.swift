// SPDX-License-Identifier: Apache-2.0

/// One state of one object: what selectors look at, and the text as it goes out.
///
/// Never changed, only replaced.
package final class StoredObject: Sendable {
    package let namespace: String
    package let name: String
    /// The store's version at which this state came to be.
    package let version: Int
    package let labels: [String: String]
    /// `spec.nodeName` and `status.phase` of pods, for field selectors.
    let nodeName: String?
    let phase: String?
    /// The object without its opening brace, `kind` and `apiVersion`: `"metadata":{…},…}`.
    let tail: [UInt8]
    /// How much of it is the metadata: all that a partial object has.
    let metadataLength: Int

    /// Takes an object whose metadata is complete but for the version, which it writes into it.
    init(_ object: JSON, version: Int) {
        var object = object
        object["metadata", "resourceVersion"] = .string(String(version))
        namespace = object["metadata", "namespace"]?.text ?? ""
        name = object["metadata", "name"]?.text ?? ""
        self.version = version
        var labels: [String: String] = [:]
        for (key, value) in object["metadata", "labels"]?.members?.members ?? [] { labels[key] = value.text ?? "" }
        self.labels = labels
        nodeName = object["spec", "nodeName"]?.text
        phase = object["status", "phase"]?.text
        var tail: [UInt8] = []
        JSONObject([("metadata", object["metadata"] ?? [:])]).write(to: &tail)
        metadataLength = tail.count
        for key in ["kind", "apiVersion", "metadata"] { object[key] = nil }
        if let rest = object.members, !rest.isEmpty {
            tail.append(UInt8(ascii: ","))
            rest.write(to: &tail)
        }
        tail.append(UInt8(ascii: "}"))
        self.tail = tail
    }

    /// The object as a document, with the kind and version it is asked for in.
    package func document(of definition: ResourceDefinition, version: String? = nil) -> JSON {
        let bytes = Self.head(of: definition, version: version ?? definition.versions[0]) + tail
        do { return try JSON(parsing: bytes) } catch {
            preconditionFailure("the store wrote what is no JSON: \(error)")
        }
    }

    /// What the text of an object begins with.
    static func head(of definition: ResourceDefinition, version: String) -> [UInt8] {
        Array(#"{"kind":"\#(definition.kind)","apiVersion":"\#(definition.apiVersion(version))","#.utf8)
    }
}
