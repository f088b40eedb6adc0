// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// A line of a watch.
enum WatchEvent: Sendable {
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

    init(_ line: [UInt8], request: String) throws(KubernetesError) {
        guard let members = JSONSlices.members(line[...]),
            let object = members.last(where: { $0.key == "object" })?.value,
            let type = members.last(where: { $0.key == "type" })?.value
        else {
            throw KubernetesError(
                .malformed, "\(request): a line of the watch is no event: \(KubernetesError.excerpt(line[...]))")
        }
        switch String(decoding: type, as: UTF8.self) {
        case #""ADDED""#, #""MODIFIED""#:
            self = RawObject(object).map(WatchEvent.set) ?? .unreadable("an object without a name")
        case #""DELETED""#: self = RawObject(object).map(WatchEvent.removed) ?? .unreadable("an object without a name")
        case #""BOOKMARK""#:
            guard let meta = PartialObject(object)?.metadata, let version = meta.resourceVersion else {
                self = .unreadable("a bookmark without a version")
                return
            }
            self = .bookmark(version: version, endsInitial: meta.annotations?[Self.initialEventsEnd] == "true")
        case #""ERROR""#:
            let status = APIStatus(object)
            self = .failed(
                KubernetesError(status: status?.code ?? 500, body: object, retryAfter: nil, request: request))
        default:
            // Of a newer server: what it does not say in words that are known it does not expect to be heard.
            self = .unknown
        }
    }
}

extension PartialObject {
    init?(_ text: ArraySlice<UInt8>) {
        guard let object = try? JSONDecoder().decode(PartialObject.self, from: Data(text)) else { return nil }
        self = object
    }
}

extension RawObject {
    /// Nil: it has no name, or nothing that could be one.
    init?(_ text: ArraySlice<UInt8>) {
        guard let meta = PartialObject(text)?.metadata, meta.name?.isEmpty == false else { return nil }
        self.init(meta: meta, text: Array(text))
    }
}

/// A page of a list.
struct ListPage: Sendable {
    private struct Meta: Decodable {
        var resourceVersion: String?
        var `continue`: String?
    }

    var items: [RawObject] = []
    /// Of items that could not be read.
    var unreadable = 0
    var version: String
    /// Where the next page begins; nil: this is the last.
    var next: String?

    init(_ text: [UInt8], request: String) throws(KubernetesError) {
        let members = JSONSlices.members(text[...]) ?? []
        guard let metaText = members.last(where: { $0.key == "metadata" })?.value,
            let meta = try? JSONDecoder().decode(Meta.self, from: Data(metaText)), let version = meta.resourceVersion
        else {
            throw KubernetesError(
                .malformed, "\(request): the answer is no list: \(KubernetesError.excerpt(text[...]))")
        }
        // No list at all: of an empty one some servers write null.
        let list = members.last { $0.key == "items" }.flatMap { JSONSlices.elements($0.value) } ?? []
        for item in list {
            if let object = RawObject(item) { items.append(object) } else { unreadable += 1 }
        }
        self.version = version
        next = meta.continue.flatMap { $0.isEmpty ? nil : $0 }
    }
}
