// SPDX-License-Identifier: Apache-2.0

import KubernetesClient
import Synchronization

/// Follows the documents of a kind, in whichever form the server has it.
///
/// Calico's objects are told in the form of its API server where both are served: their names are those that people write.
struct DocumentFollower<Value: Sendable>: Sendable {
    let kind: ResourceKind
    let client: KubernetesClient
    /// What is kept of an object, in the form of `kind`.
    let keep: @Sendable (RawObject) throws -> Value?

    /// Runs until cancelled; `tell` hears of one form at a time.
    func run(_ tell: @escaping @Sendable (InformerChange<Value>) -> Void) async {
        guard let stored = StoredCalico.form(of: kind) else {
            for await change in informer(kind).changes() { tell(change) }
            return
        }
        var (form, other) = (kind, stored)
        while !Task.isCancelled {
            await follow(form, until: other, tell)
            (form, other) = (other, form)
        }
    }

    private func informer(_ form: ResourceKind) -> Informer<Value> {
        let isStored = form != kind
        return Informer(form, client) { [keep] object in
            try keep(isStored ? try StoredCalico.restored(object) : object)
        }
    }

    /// Returns when the server has the other form, and not this one.
    private func follow(
        _ form: ResourceKind, until other: ResourceKind,
        _ tell: @escaping @Sendable (InformerChange<Value>) -> Void
    ) async {
        let standing = Standing()
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for await change in informer(form).changes() {
                    if case .status(let status) = change {
                        if case .notInstalled = status {
                            guard await client.presence(of: other) != true else { return }
                            standing.isAbsent.store(true, ordering: .relaxed)
                        } else {
                            standing.isAbsent.store(false, ordering: .relaxed)
                        }
                    }
                    tell(change)
                }
            }
            group.addTask {
                while (try? await Task.sleep(for: client.patience.absence)) != nil {
                    if standing.isAbsent.load(ordering: .relaxed), await client.presence(of: other) == true { return }
                }
            }
            await group.next()
            group.cancelAll()
        }
    }
}

/// Whether the server is known not to have a form.
private final class Standing: Sendable {
    let isAbsent = Atomic(false)
}
