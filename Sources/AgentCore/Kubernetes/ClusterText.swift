// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import KubernetesClient

/// An object of the API as the reader of documents takes it, and which state of it that is.
struct ClusterText: Hashable, Sendable {
    var bytes: [UInt8]
    /// Nil: nobody asks.
    var mark: DocumentMark?
}

extension ClusterText {
    /// Nil: it is no object.
    init?(_ object: RawObject, _ kind: ResourceKind) {
        guard let text = ClusterDocument.text(object, kind) else { return nil }
        self.init(bytes: text, mark: ResourceKind.policies.contains(kind) ? DocumentMark(object, kind) : nil)
    }
}

extension DocumentMark {
    init(_ object: RawObject, _ kind: ResourceKind) {
        self.init(
            key: kind.documentKey(object.key), uid: object.meta.uid ?? "", generation: object.meta.generation,
            version: object.meta.resourceVersion ?? "")
    }
}

extension ResourceKind {
    /// What a document of this kind is called in a `ClusterContent`.
    func documentKey(_ key: ObjectKey) -> String { "\(self)/\(key)" }
}
