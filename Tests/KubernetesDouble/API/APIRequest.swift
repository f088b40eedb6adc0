// SPDX-License-Identifier: Apache-2.0

/// What a request wants done, in the words of Kubernetes' access rules.
package enum Verb: String, Sendable, Hashable {
    case get, list, watch, create, update, patch, delete, deletecollection
    /// Anything but resources: discovery, health.
    case other
}

/// Where a request to a resource goes.
struct ResourceTarget: Sendable {
    var resource: ResourceName
    var version: String
    var namespace: String?
    var name: String?
    var subresource: String?
}

/// A request as it arrived, head and body.
struct APIRequest: Sendable {
    var method: String
    /// Path and query as sent.
    var uri: String
    var path: [String]
    var query: [String: String]
    /// Header names in lower case; of several the last.
    var headers: [String: String]
    var body: [UInt8] = []
    /// Common name and organisations of the client's certificate.
    var certificateUser: DoubleUser?

    init(method: String, uri: String, headers: [(name: String, value: String)]) {
        self.method = method
        self.uri = uri
        self.headers = Dictionary(headers.map { ($0.name.lowercased(), $0.value) }) { $1 }
        let parts = uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = parts[0].split(separator: "/").map { Self.decoded($0) }
        query = [:]
        for pair in parts.count > 1 ? parts[1].split(separator: "&") : [] {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            query[Self.decoded(sides[0])] = sides.count > 1 ? Self.decoded(sides[1]) : ""
        }
    }

    /// Whether a query parameter is set to something true.
    func isSet(_ key: String) -> Bool { ["1", "true", "True", "TRUE", "t"].contains(query[key] ?? "") }

    /// The resource that the path names: `/api/v1/…` or `/apis/GROUP/VERSION/…`.
    var target: ResourceTarget? {
        var rest = path[...]
        let isCore = rest.first == "api"
        guard isCore || rest.first == "apis", rest.count >= (isCore ? 3 : 4) else { return nil }
        rest = rest.dropFirst()
        let group = isCore ? "" : rest.removeFirst()
        let version = rest.removeFirst()
        var namespace: String?
        // "namespaces/NAME" alone, and its subresources, are the namespace itself.
        if rest.first == "namespaces", rest.count >= 3, !["status", "finalize"].contains(rest[rest.startIndex + 2]) {
            namespace = rest[rest.startIndex + 1]
            rest = rest.dropFirst(2)
        }
        guard rest.count <= 3, let plural = rest.popFirst() else { return nil }
        return ResourceTarget(
            resource: ResourceName(group: group, plural: plural), version: version, namespace: namespace,
            name: rest.popFirst(), subresource: rest.popFirst())
    }

    /// The verb for a target, as access rules name it.
    func verb(for target: ResourceTarget) -> Verb? {
        switch (method, target.name) {
        case ("GET", nil): isSet("watch") ? .watch : .list
        case ("GET", _?): .get
        case ("POST", nil): .create
        case ("POST", _?): target.subresource == nil ? nil : .create
        case ("PUT", _?): .update
        case ("PATCH", _?): .patch
        case ("DELETE", nil): .deletecollection
        case ("DELETE", _?): .delete
        default: nil
        }
    }

    private static func decoded(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var iterator = text.utf8.makeIterator()
        while let byte = iterator.next() {
            if byte == UInt8(ascii: "+") {
                bytes.append(UInt8(ascii: " "))
            } else if byte == UInt8(ascii: "%"), let high = iterator.next(), let low = iterator.next() {
                bytes.append(UInt8(String(decoding: [high, low], as: UTF8.self), radix: 16) ?? UInt8(ascii: "?"))
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Who asks.
package struct DoubleUser: Sendable, Hashable {
    package var name: String
    package var groups: [String]

    package init(_ name: String, groups: [String] = []) {
        self.name = name
        self.groups = groups
    }

    static let anonymous = DoubleUser("system:anonymous", groups: ["system:unauthenticated"])
}
