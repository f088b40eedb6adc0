// SPDX-License-Identifier: Apache-2.0

import KubernetesClient

/// Writes an object of the API as the reader of documents takes it.
///
/// What changes all the time and means nothing for policy is left out, so that the text changes only if its meaning may.
enum ClusterDocument {
    /// Members of an object that are kept; nil: all but `status`.
    private static let kept: [String: Set<String>] = ["Node": ["metadata", "status"]]
    private static let metadata: Set<String> = ["name", "namespace", "labels", "annotations"]
    /// Long, and the object itself once more.
    private static let annotation = "kubectl.kubernetes.io/last-applied-configuration"

    /// The text of an object; nil: it is no object.
    static func text(_ object: RawObject, _ kind: ResourceKind) -> [UInt8]? {
        guard let members = JSONSlices.members(object.text[...]) else { return nil }
        var parts = [member("apiVersion", quoted(kind.apiVersion)), member("kind", quoted(kind.kind))]
        for (key, value) in members where isKept(key, kind) {
            switch (key, kind.kind) {
            case ("metadata", _): parts.append(member(key, some(of: value) { metadata.contains($0) } ?? Array(value)))
            case ("status", "Node"): parts.append(member(key, some(of: value) { $0 == "addresses" } ?? Array(value)))
            default: parts.append(member(key, Array(value)))
            }
        }
        return joined(parts)
    }

    private static func isKept(_ key: String, _ kind: ResourceKind) -> Bool {
        if ["apiVersion", "kind"].contains(key) { return false }
        return kept[kind.kind]?.contains(key) ?? (key != "status")
    }

    /// Some members of an object; nil: it is none.
    private static func some(of text: ArraySlice<UInt8>, _ isKept: (String) -> Bool) -> [UInt8]? {
        guard let members = JSONSlices.members(text) else { return nil }
        return joined(
            members.filter { isKept($0.key) }.map { key, value in
                guard key == "annotations", let less = some(of: value, { $0 != annotation }) else {
                    return member(key, Array(value))
                }
                return member(key, less)
            })
    }

    private static func member(_ key: String, _ value: [UInt8]) -> [UInt8] { Array("\"\(key)\":".utf8) + value }

    private static func quoted(_ text: String) -> [UInt8] { Array("\"\(text)\"".utf8) }

    private static func joined(_ parts: [[UInt8]]) -> [UInt8] {
        [UInt8(ascii: "{")] + parts.joined(separator: [UInt8(ascii: ",")]) + [UInt8(ascii: "}")]
    }
}
