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
    ///
    /// What a consumer does not take waits as what became of each object in the end, not as everything that happened.
    package func changes() -> AsyncStream<InformerChange<Object>> {
        let mailbox = ChangeMailbox<Object>()
        let task = Task { [client, query, keep] in
            await Reflector(client: client, query: query).run(ObjectReader(keep: keep) { mailbox.put($0) })
        }
        let consumer = Consumer(task)
        return AsyncStream {
            await consumer.take(from: mailbox)
        } onCancel: {
            mailbox.close()
            task.cancel()
        }
    }

    /// Ends the following when nobody holds the stream any more.
    private final class Consumer: Sendable {
        private let task: Task<Void, Never>

        init(_ task: Task<Void, Never>) { self.task = task }

        deinit { task.cancel() }

        func take(from mailbox: ChangeMailbox<Object>) async -> InformerChange<Object>? { await mailbox.next() }
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
