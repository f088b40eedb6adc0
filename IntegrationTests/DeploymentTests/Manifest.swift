// SPDX-License-Identifier: Apache-2.0

import PolicyReading

/// An object of a rendered overlay.
struct Manifest: Sendable {
    let node: ConfigurationNode

    /// Reads the documents that `kubectl kustomize` prints.
    static func read(_ text: String) throws -> [Manifest] {
        var documents: [[Substring]] = [[]]
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line == "---" { documents.append([]) } else { documents[documents.count - 1].append(line) }
        }
        return try documents.compactMap { lines in
            try ConfigurationNode.read(Array(lines.joined(separator: "\n").utf8), file: "manifest").map(Manifest.init)
        }
    }

    var kind: String { node["kind"]?.text ?? "" }
    var name: String { node["metadata"]?["name"]?.text ?? "" }
    var namespace: String { node["metadata"]?["namespace"]?.text ?? "" }
    /// `DaemonSet/bulkhead-agent`, for messages.
    var title: String { "\(kind)/\(name)" }

    /// The pods that it makes; nil if it makes none.
    var podSpec: ConfigurationNode? { node["spec"]?["template"]?["spec"] }
}

extension ConfigurationNode {
    /// The value of a key; nil also where this is no mapping.
    subscript(key: String) -> ConfigurationNode? {
        guard case .mapping(let entries) = content else { return nil }
        return entries.first { $0.key == key }?.value
    }

    var keys: [String] {
        guard case .mapping(let entries) = content else { return [] }
        return entries.map(\.key)
    }

    var items: [ConfigurationNode] {
        guard case .list(let items) = content else { return [] }
        return items
    }

    var texts: [String] { items.compactMap(\.text) }

    var text: String? {
        switch content {
        case .string(let text): text
        case .integer(let number): "\(number)"
        default: nil
        }
    }

    var isTrue: Bool { if case .boolean(true) = content { true } else { false } }

    /// Every value below this one with its key, itself not included.
    var descendants: [(key: String, value: ConfigurationNode)] {
        switch content {
        case .mapping(let entries): entries.flatMap { [($0.key, $0.value)] + $0.value.descendants }
        case .list(let items): items.flatMap(\.descendants)
        default: []
        }
    }
}
