// SPDX-License-Identifier: Apache-2.0

/// What a key of the store is about.
package enum StoreKey: Hashable, Sendable {
    /// A node that is there.
    case node(String)
    /// A workload by `<namespace>/<name>`, and the node that it runs on.
    case workload(node: String, name: String)
    /// A policy, or an object that rules refer to, by `<kind>/<namespace>/<name>`.
    case document(String)
}

/// Where in the store everything is: `<prefix>/v1/nodes/…`, `workloads/…`, `policies/…`.
///
/// Names stand percent-encoded between the slashes, an empty one as `-`. What another version lays out otherwise, it lays out
/// beside `v1`.
package struct StoreLayout: Hashable, Sendable {
    /// Names are refused beyond this, in bytes.
    package static let nameBytesMax = 512
    /// Of everything that this version reads and writes; ends with a slash.
    package let root: String

    /// Of the store's own name: a store that lost its data has another one.
    package var nameKey: String { root + "name" }

    /// `prefix`: begins with a slash and does not end with one.
    package init(prefix: String) { root = prefix + "/v1/" }

    /// The key in the store; nil: a name is empty or too long where it may not be, or there are too few.
    package func text(_ key: StoreKey) -> String? {
        let parts: [Substring]
        switch key {
        case .node(let node):
            guard !node.isEmpty else { return nil }
            parts = ["nodes", node[...]]
        case .workload(let node, let name):
            let names = name.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            guard names.count == 2, !node.isEmpty else { return nil }
            parts = ["workloads", node[...]] + names
        case .document(let name):
            let names = name.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
            guard names.count == 3 else { return nil }
            parts = ["policies"] + names
        }
        guard parts.allSatisfy({ $0.utf8.count <= StoreLayout.nameBytesMax }), parts.last?.isEmpty == false else {
            return nil
        }
        return root + parts.map(StoreLayout.encode).joined(separator: "/")
    }

    /// What the keys of a node's workloads begin with.
    package func workloads(of node: String) -> String { "\(root)workloads/\(StoreLayout.encode(node[...]))/" }

    /// What a key of the store is about; nil: nothing of this layout.
    package func key(_ text: String) -> StoreKey? {
        guard text.hasPrefix(root) else { return nil }
        let parts = text.dropFirst(root.count).split(separator: "/", omittingEmptySubsequences: false)
        let names = parts.dropFirst().compactMap { StoreLayout.decode($0) }
        guard names.count == parts.count - 1 else { return nil }
        let key: StoreKey
        switch (parts.first, names.count) {
        case ("nodes", 1): key = .node(names[0])
        case ("workloads", 3): key = .workload(node: names[0], name: "\(names[1])/\(names[2])")
        case ("policies", 3): key = .document(names.joined(separator: "/"))
        default: return nil
        }
        // One key for one name: else two keys could be about the same thing.
        return self.text(key) == text ? key : nil
    }

    private static func encode(_ name: Substring) -> String {
        if name.isEmpty { return "-" }
        if name == "-" { return "%2D" }
        var text = ""
        for byte in name.utf8 {
            if isPlain(byte) {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                text += (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
            }
        }
        return text
    }

    private static func decode(_ text: Substring) -> String? {
        if text == "-" { return "" }
        var bytes: [UInt8] = []
        var rest = text.utf8
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = rest.prefix(2)
            guard digits.count == 2, let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16) else {
                return nil
            }
            rest.removeFirst(2)
            bytes.append(value)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: "-._:@".utf8.contains(byte)
        }
    }
}
