// SPDX-License-Identifier: Apache-2.0

/// Writes stored objects in the form that a request accepts.
struct Renderer: Sendable {
    enum Form: Sendable { case whole, partial, table }

    var definition: ResourceDefinition
    var version: String
    var form: Form

    /// Chooses the form by the Accept header, clause by clause.
    /// - Throws: 406 if nothing on offer is accepted.
    init(definition: ResourceDefinition, version: String, accept: String?) throws(APIError) {
        self.definition = definition
        self.version = version
        form = .whole
        guard let accept, !accept.trimmed.isEmpty else { return }
        for clause in accept.split(separator: ",") {
            let parts = clause.split(separator: ";").map { String($0).trimmed }
            guard let type = parts.first, ["application/json", "*/*", "application/*"].contains(type) else { continue }
            let parameters = parts.dropFirst().filter { !$0.hasPrefix("q=") }
            guard let asked = parameters.first(where: { $0.hasPrefix("as=") }) else {
                if !parameters.contains(where: { $0.hasPrefix("stream=") }) { return }
                continue
            }
            switch asked {
            case "as=PartialObjectMetadataList", "as=PartialObjectMetadata": form = .partial
            case "as=Table": form = .table
            default: continue
            }
            return
        }
        throw APIError(
            code: 406, reason: "NotAcceptable",
            message: "only the following media types are accepted: application/json")
    }

    private var itemHead: [UInt8] {
        switch form {
        case .partial, .table: Array(#"{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","#.utf8)
        case .whole:
            definition.isCustom ? StoredObject.head(of: definition, version: version) : [UInt8(ascii: "{")]
        }
    }

    private var objectHead: [UInt8] {
        form == .whole ? StoredObject.head(of: definition, version: version) : itemHead
    }

    private func write(_ object: StoredObject, head: [UInt8], to bytes: inout [UInt8]) {
        bytes.append(contentsOf: head)
        if form == .whole {
            bytes.append(contentsOf: object.tail)
        } else {
            bytes.append(contentsOf: object.tail[..<object.metadataLength])
            bytes.append(UInt8(ascii: "}"))
        }
    }

    /// A single object.
    func object(_ object: StoredObject) -> [UInt8] {
        var bytes: [UInt8] = []
        if form == .table { return list([object], metadata: ["resourceVersion": .string(String(object.version))]) }
        write(object, head: objectHead, to: &bytes)
        return bytes
    }

    /// A list with its metadata.
    func list(_ objects: [StoredObject], metadata: JSON) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(objects.reduce(256) { $0 + (form == .whole ? $1.tail.count : $1.metadataLength) + 128 })
        bytes.append(contentsOf: #"{"kind":"\#(listKind)","apiVersion":"\#(listVersion)","metadata":"#.utf8)
        metadata.write(to: &bytes)
        if form == .table {
            bytes.append(contentsOf: #","columnDefinitions":\#(Self.columns),"rows":["#.utf8)
        } else {
            bytes.append(contentsOf: #","items":["#.utf8)
        }
        let head = itemHead
        for (index, object) in objects.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            if form == .table {
                writeRow(object, to: &bytes)
            } else {
                write(object, head: head, to: &bytes)
            }
        }
        bytes.append(contentsOf: "]}\n".utf8)
        return bytes
    }

    private var listKind: String {
        switch form {
        case .whole: "\(definition.kind)List"
        case .partial: "PartialObjectMetadataList"
        case .table: "Table"
        }
    }

    private var listVersion: String { form == .whole ? definition.apiVersion(version) : "meta.k8s.io/v1" }

    private static let columns =
        #"[{"name":"Name","type":"string","format":"name","description":"Name","priority":0},"#
        + #"{"name":"Created At","type":"date","format":"","description":"CreationTimestamp","priority":0}]"#

    private func writeRow(_ object: StoredObject, to bytes: inout [UInt8]) {
        let created = object.document(of: definition)["metadata", "creationTimestamp"] ?? .null
        bytes.append(contentsOf: #"{"cells":"#.utf8)
        JSON.array([.string(object.name), created]).write(to: &bytes)
        bytes.append(contentsOf: #","object":"#.utf8)
        write(object, head: itemHead, to: &bytes)
        bytes.append(UInt8(ascii: "}"))
    }

    /// One line of a watch.
    func event(_ kind: Change.Kind, _ object: StoredObject) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(object.tail.count + 128)
        bytes.append(contentsOf: #"{"type":"\#(kind.rawValue)","object":"#.utf8)
        bytes.append(contentsOf: self.object(object))
        bytes.append(contentsOf: "}\n".utf8)
        return bytes
    }

    /// The line that tells a version and no object.
    func bookmark(_ version: Int, endsInitialEvents: Bool) -> [UInt8] {
        var metadata: JSON = ["resourceVersion": .string(String(version)), "creationTimestamp": .null]
        if endsInitialEvents { metadata["annotations"] = ["k8s.io/initial-events-end": "true"] }
        let isPartial = form != .whole
        let event: JSON = [
            "type": "BOOKMARK",
            "object": [
                "kind": .string(isPartial ? "PartialObjectMetadata" : definition.kind),
                "apiVersion": .string(isPartial ? "meta.k8s.io/v1" : definition.apiVersion(self.version)),
                "metadata": metadata,
            ],
        ]
        return event.bytes + [0x0A]
    }

    /// The line that ends a watch with a failure.
    static func error(_ status: JSON) -> [UInt8] {
        (["type": "ERROR", "object": status] as JSON).bytes + [0x0A]
    }
}
