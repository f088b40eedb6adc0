// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// A made-up cluster in the store, and changes of its pods at a rate.
package final class ClusterLoad: Sendable {
    private struct State {
        var size = ClusterSize(nodes: 0, pods: 0, policies: 0)
        /// By number, how often a pod was replaced.
        var generations: [Int: Int] = [:]
        /// Pods whose latest change made them not ready.
        var unready: Set<Int> = []
        var nextPod = 0
        var changes = 0
        var churn: Task<Void, Never>?
    }

    private let store: DoubleStore
    private let state = Mutex(State())

    init(store: DoubleStore) { self.store = store }

    /// Changes made so far: a pod that is replaced counts twice.
    package var changes: Int { state.withLock { $0.changes } }

    /// Puts a cluster into the store, beside what is there.
    package func make(_ size: ClusterSize) throws(APIError) {
        state.withLock { $0.size = size }
        try put(size.namespaces) { size.namespaceObject($0) }
        try put(size.nodes) { size.nodeObject($0) }
        try put(size.policies) { size.policyObject($0) }
        try put(size.pods) { size.podObject($0) }
    }

    private func put(_ count: Int, _ object: (Int) -> JSON) throws(APIError) {
        for start in stride(from: 0, to: count, by: 1000) {
            try store.apply((start..<min(start + 1000, count)).map(object))
        }
    }

    /// Changes pods from now on: of five changes three are of a pod's readiness, and two replace a pod by one with
    /// another name and address.
    package func startChurn(perSecond rate: Int) {
        let task = Task { [weak self] in
            let begin = ContinuousClock.now
            var done = 0
            while !Task.isCancelled {
                let elapsed = (ContinuousClock.now - begin) / Duration.seconds(1)
                let due = Int(elapsed * Double(rate))
                while done < due { done += self?.change() ?? (due - done) }
                try? await Task.sleep(for: .milliseconds(10))
            }
        }
        let former = state.withLock { state in
            defer { state.churn = task }
            return state.churn
        }
        former?.cancel()
    }

    /// Lets everything rest.
    package func stopChurn() { state.withLock { $0.churn }?.cancel() }

    /// Makes the next change of the churn; answers of how many events it consists.
    @discardableResult
    package func change() -> Int {
        let (size, number, turn, former, isReady) = state.withLock { state in
            let number = state.nextPod
            // A stride that is no divisor of common sizes visits namespaces and nodes evenly.
            state.nextPod = (number + 7919) % max(1, state.size.pods)
            let turn = state.changes % 5
            let former = state.generations[number] ?? 0
            state.changes += turn == 3 ? 2 : 1
            if turn == 3 { state.generations[number] = former + 1 }
            let isReady = !state.unready.insert(number).inserted
            if isReady { state.unready.remove(number) }
            return (state.size, number, turn, former, isReady)
        }
        guard size.pods > 0 else { return 1 }
        if turn == 3 {
            let old = size.podObject(number, generation: former)
            store.remove(.pods, namespace: size.namespace(ofPod: number), name: old["metadata", "name"]?.text ?? "")
            _ = try? store.apply(size.podObject(number, generation: former + 1))
            return 2
        }
        _ = try? store.apply(size.podObject(number, generation: former, isReady: isReady))
        return 1
    }
}
