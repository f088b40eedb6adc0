// SPDX-License-Identifier: Apache-2.0

/// A line of a watch.
package enum WatchEvent: Sendable {
    /// `ADDED` or `MODIFIED`: levels, not edges.
    case set(RawObject)
    case removed(RawObject)
    /// Everything up to this version was told; `endsInitial`: all that there was at the beginning, too.
    case bookmark(version: String, endsInitial: Bool)
    /// The watch failed, though its status was 200.
    case failed(KubernetesError)
    /// An object without a name.
    case unreadable(String)
    case unknown

    private static let initialEventsEnd = "k8s.io/initial-events-end"

    /// Reads a line.
    ///
    /// `request`: what was asked, for errors. Throws if it is no event: the stream cannot be relied on any more.
    package init(_ line: [UInt8], request: String) throws(KubernetesError) {
        guard let root = try? JSONView(line), let type = root["type"]?.string, let object = root["object"] else {
            throw KubernetesError(
                .malformed, "\(request): a line of the watch is no event: \(KubernetesError.excerpt(line[...]))")
        }
        switch type {
        case "ADDED", "MODIFIED":
            self = RawObject(object).map(WatchEvent.set) ?? .unreadable("an object without a name")
        case "DELETED": self = RawObject(object).map(WatchEvent.removed) ?? .unreadable("an object without a name")
        case "BOOKMARK":
            let meta = ObjectMeta(of: object)
            guard let version = meta.resourceVersion, !version.isEmpty else {
                self = .unreadable("a bookmark without a version")
                return
            }
            self = .bookmark(version: version, endsInitial: meta.annotations?[Self.initialEventsEnd] == "true")
        case "ERROR":
            let status = APIStatus(object)
            self = .failed(
                KubernetesError(status: status?.code ?? 500, body: object.bytes, retryAfter: nil, request: request))
        default:
            // Of a newer server: what it does not say in words that are known it does not expect to be heard.
            self = .unknown
        }
    }
}

/// A page of a list.
package struct ListPage: Sendable {
    /// The objects; nil: there are none.
    private let list: JSONView?
    package let version: String
    /// Where the next page begins; nil: this is the last.
    package let next: String?

    /// Reads an answer; throws if it is no list.
    package init(_ text: [UInt8], request: String) throws(KubernetesError) {
        guard let root = try? JSONView(text), let meta = root["metadata"], let version = meta["resourceVersion"]?.string
        else {
            throw KubernetesError(
                .malformed, "\(request): the answer is no list: \(KubernetesError.excerpt(text[...]))")
        }
        // None at all: of an empty list some servers write null.
        list = root["items"]
        self.version = version
        next = meta["continue"]?.string.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Visits the objects one by one, so that no more than one is there twice.
    /// - Returns: how many have no name.
    package func forEach(_ visit: (RawObject) -> Void) -> Int {
        var nameless = 0
        list?.forEachElement { element in
            if let object = RawObject(element) { visit(object) } else { nameless += 1 }
        }
        return nameless
    }
}
