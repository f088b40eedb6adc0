// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import KubernetesClient

/// Calico's objects as its definitions hold them (`crd.projectcalico.org/v1`), where its own API server is not installed.
///
/// Their fields are those of `projectcalico.org/v3`. Labels and annotations that people gave are in one annotation, as text:
/// libcalico-go, `lib/backend/k8s/resources/resources.go`.
enum StoredCalico {
    private static let metadata = "projectcalico.org/metadata"
    /// Calico makes these up from namespaces and accounts, and holds none.
    private static let unstored: Set<String> = ["profiles"]

    /// An object whose annotation says nothing that can be read.
    struct Unreadable: Error, CustomStringConvertible {
        var description: String { "its annotation \(StoredCalico.metadata) is no JSON object" }
    }

    /// Where definitions have a kind; nil: nowhere.
    static func form(of kind: ResourceKind) -> ResourceKind? {
        guard kind.group == "projectcalico.org", !unstored.contains(kind.plural) else { return nil }
        return ResourceKind(
            group: "crd.projectcalico.org", version: "v1", plural: kind.plural, kind: kind.kind,
            isNamespaced: kind.isNamespaced)
    }

    /// The object as Calico's API server would give it.
    ///
    /// Throws: what people gave it cannot be read.
    static func restored(_ object: RawObject) throws -> RawObject {
        guard let members = JSONSlices.members(object.text[...]),
            let outer = JSONSlices.member("metadata", of: object.text[...]),
            let annotations = JSONSlices.member("annotations", of: outer),
            let quoted = JSONSlices.member(metadata, of: annotations)
        else { return object }
        guard let text = try? JSONDecoder().decode(String.self, from: Data(quoted)),
            let given = JSONSlices.members(Array(text.utf8)[...]), let own = JSONSlices.members(outer)
        else { throw Unreadable() }
        var names = own.filter { !["labels", "annotations"].contains($0.key) }
        for key in ["labels", "annotations"] {
            // Newer versions leave labels where everybody looks for them.
            let value =
                given.last { $0.key == key }?.value ?? (key == "labels" ? own.last { $0.key == key }?.value : nil)
            if let value, JSONSlices.members(value) != nil { names.append((key, value)) }
        }
        let rest = members.filter { $0.key != "metadata" }
        return RawObject(meta: object.meta, text: joined([("metadata", joined(names)[...])] + rest))
    }

    private static func joined(_ members: [(key: String, value: ArraySlice<UInt8>)]) -> [UInt8] {
        let parts = members.map { Array("\"\($0.key)\":".utf8) + $0.value }
        return [UInt8(ascii: "{")] + parts.joined(separator: [UInt8(ascii: ",")]) + [UInt8(ascii: "}")]
    }
}
