// SPDX-License-Identifier: Apache-2.0

/// Follows all objects of a kind, or those that selectors choose.
///
/// What client-go's informers guarantee: of each object its levels in order, at least once, perhaps not each; a complete
/// list whenever changes were missed, so that what went meanwhile is noticed; no order between kinds.
package struct Informer<Object: Sendable>: Sendable {
    package let kind: ResourceKind
    private let client: KubernetesClient
    private let query: WatchQuery
    private let keep: @Sendable (RawObject) throws -> Object?

    /// Makes an informer that does nothing yet.
    ///
    /// `keep`: what remains of an object; nil: it is not wanted. Throws: it cannot be read, which is told, and the object
    /// stays as it was known. `fieldSelector`: `spec.nodeName=n1`.
    package init(
        _ kind: ResourceKind, _ client: KubernetesClient, namespace: String? = nil, fieldSelector: String? = nil,
        labelSelector: String? = nil, keep: @escaping @Sendable (RawObject) throws -> Object?
    ) {
        self.kind = kind
        self.client = client
        self.keep = keep
        query = WatchQuery(kind: kind, namespace: namespace, fieldSelector: fieldSelector, labelSelector: labelSelector)
    }

    /// Follows until the consumer stops.
    package func changes() -> AsyncStream<InformerChange<Object>> {
        let (stream, continuation) = AsyncStream.makeStream(of: InformerChange<Object>.self)
        let task = Task {
            defer { continuation.finish() }
            var reader = ObjectReader(keep: keep) { continuation.yield($0) }
            await Reflector(client: client, query: query).run { reader.take($0) }
        }
        continuation.onTermination = { _ in task.cancel() }
        return stream
    }
}

/// A step of an informer.
package enum InformerChange<Object: Sendable>: Sendable {
    /// All there are; what is not in it is gone, but for `keeping`: those are there and cannot be read, so what was known of
    /// them stands. First, and whenever changes may have been missed.
    case replaced([ObjectKey: Object], keeping: Set<ObjectKey>)
    case upserted(ObjectKey, Object)
    case removed(ObjectKey)
    case status(InformerStatus)
}

/// How it stands with a kind.
package enum InformerStatus: Hashable, Sendable {
    /// What was told is current.
    case connected
    /// It is not heard, for the reason given; what was told stands.
    case retrying(String)
    /// Who asks may not see this kind.
    case forbidden(String)
    /// The server has no such kind: its definition is not installed, or no more.
    case notInstalled(String)
    /// Some objects cannot be read, the reason by object; all others are told. Empty: none any more.
    case unreadable([ObjectKey: String])
}

/// Makes objects of what a reflector reads, and knows which cannot be read.
private struct ObjectReader<Object: Sendable> {
    let keep: @Sendable (RawObject) throws -> Object?
    let yield: (InformerChange<Object>) -> Void
    private var unreadable: [ObjectKey: String] = [:]

    init(
        keep: @escaping @Sendable (RawObject) throws -> Object?, yield: @escaping (InformerChange<Object>) -> Void
    ) {
        self.keep = keep
        self.yield = yield
    }

    mutating func take(_ step: Reflector.Step) {
        switch step {
        case .status(let status): yield(.status(status))
        case .all(let objects):
            var found: [ObjectKey: Object] = [:]
            var wrong: [ObjectKey: String] = [:]
            for object in objects {
                do {
                    found[object.key] = try keep(object)
                } catch {
                    wrong[object.key] = "\(error)"
                }
            }
            yield(.replaced(found, keeping: Set(wrong.keys)))
            note(wrong)
        case .set(let object):
            do {
                if let kept = try keep(object) {
                    yield(.upserted(object.key, kept))
                } else {
                    yield(.removed(object.key))
                }
                if unreadable[object.key] != nil { note(unreadable.filter { $0.key != object.key }) }
            } catch {
                note(unreadable.merging([object.key: "\(error)"]) { $1 })
            }
        case .removed(let key):
            yield(.removed(key))
            if unreadable[key] != nil { note(unreadable.filter { $0.key != key }) }
        }
    }

    private mutating func note(_ new: [ObjectKey: String]) {
        guard new != unreadable else { return }
        unreadable = new
        yield(.status(.unreadable(new)))
    }
}
