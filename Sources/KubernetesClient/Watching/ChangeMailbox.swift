// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Changes on their way to a consumer that may be slow.
///
/// What became of an object waits once, however often it changed: no more waits than there are objects.
final class ChangeMailbox<Object: Sendable>: Sendable {
    private struct State {
        var content = ChangeBacklog<Object>()
        var waiting: CheckedContinuation<InformerChange<Object>?, Never>?
        var isClosed = false
    }

    private let state = Mutex(State())

    func put(_ change: InformerChange<Object>) {
        state.withLock { state in
            state.content.put(change)
            guard let waiting = state.waiting, let next = state.content.take() else { return }
            state.waiting = nil
            waiting.resume(returning: next)
        }
    }

    /// Waits for a change; nil once closed, which the end of the waiting task does too.
    func next() async -> InformerChange<Object>? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                state.withLock { state in
                    if state.isClosed {
                        continuation.resume(returning: nil)
                    } else if let change = state.content.take() {
                        continuation.resume(returning: change)
                    } else {
                        state.waiting = continuation
                    }
                }
            }
        } onCancel: {
            close()
        }
    }

    func close() {
        state.withLock { state in
            state.isClosed = true
            state.waiting?.resume(returning: nil)
            state.waiting = nil
        }
    }
}

/// Changes that nobody has taken yet, as few as say the same.
package struct ChangeBacklog<Object: Sendable>: Sendable {
    /// How it stands, and which objects cannot be read: the last word on each.
    private var statuses: [InformerStatus] = []
    private var replaced: (all: [ObjectKey: Object], keeping: Set<ObjectKey>)?
    /// What became of single objects, nil of those that are gone; only while no complete list waits.
    private var changed: [ObjectKey: Object?] = [:]
    /// The keys in `changed`, in the order in which they came, behind those that were taken.
    private var order: [ObjectKey] = []
    private var taken = 0

    /// Nothing waits.
    package init() {}

    /// Adds what happened.
    package mutating func put(_ change: InformerChange<Object>) {
        switch change {
        case .status(let status):
            statuses.removeAll { $0.isUnreadable == status.isUnreadable }
            statuses.append(status)
        case .replaced(let all, let keeping): replace(all, keeping)
        case .upserted(let key, let object): note(key, object)
        case .removed(let key): note(key, nil)
        }
    }

    /// The next change to tell; nil: there is none.
    package mutating func take() -> InformerChange<Object>? {
        if let (all, keeping) = replaced {
            replaced = nil
            return .replaced(all, keeping: keeping)
        }
        if !statuses.isEmpty { return .status(statuses.removeFirst()) }
        guard taken < order.count else { return nil }
        let key = order[taken]
        taken += 1
        if taken * 2 >= order.count {
            order.removeFirst(taken)
            taken = 0
        }
        return changed.removeValue(forKey: key).map { $0.map { .upserted(key, $0) } ?? .removed(key) }
    }

    private mutating func note(_ key: ObjectKey, _ object: Object?) {
        if replaced != nil {
            replaced?.all[key] = object
            replaced?.keeping.remove(key)
        } else if changed.updateValue(object, forKey: key) == nil {
            order.append(key)
        }
    }

    /// A list takes the place of all that waits, but of the objects that it keeps what is known of them.
    private mutating func replace(_ all: [ObjectKey: Object], _ keeping: Set<ObjectKey>) {
        var (all, keeping) = (all, keeping)
        for key in keeping {
            if let (old, oldKeeping) = replaced {
                all[key] = old[key]
                if !oldKeeping.contains(key) { keeping.remove(key) }
            } else if let change = changed[key] {
                all[key] = change
                keeping.remove(key)
            }
        }
        replaced = (all, keeping)
        (changed, order, taken) = ([:], [], 0)
    }
}

extension InformerStatus {
    fileprivate var isUnreadable: Bool { if case .unreadable = self { true } else { false } }
}
