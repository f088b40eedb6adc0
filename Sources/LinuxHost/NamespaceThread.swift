// SPDX-License-Identifier: Apache-2.0

import CLinuxShim
import Glibc
import Synchronization

/// One thread that does work inside other network namespaces, one job after the other.
///
/// `setns` acts on the calling thread, so this work must not run on a thread that anything else uses.
/// The thread ends when the value is released; jobs already queued are still done.
package final class NamespaceThread: Sendable {
    private final class Queue: Sendable {
        struct State {
            var jobs: [@Sendable () -> Void] = []
            var isClosed = false
        }
        let state = Mutex(State())
        let wake: WakeSignal
        let home: OwnedDescriptor

        init() throws(HostError) {
            wake = try WakeSignal()
            home = try NetworkNamespace.own.open()
        }

        func add(_ job: @escaping @Sendable () -> Void) {
            state.withLock { $0.jobs.append(job) }
            wake.raise()
        }

        func close() {
            state.withLock { $0.isClosed = true }
            wake.raise()
        }

        /// Works until closed and empty.
        func drain() {
            while true {
                wake.clear()
                let (jobs, isClosed) = state.withLock { state in
                    defer { state.jobs = [] }
                    return (state.jobs, state.isClosed)
                }
                for job in jobs { job() }
                if jobs.isEmpty {
                    if isClosed { return }
                    _ = try? waitForInput(wake.descriptor.rawValue, or: wake, milliseconds: -1)
                }
            }
        }
    }

    private let queue: Queue

    /// Starts the thread in the process's own namespace.
    package init() throws(HostError) {
        let queue = try Queue()
        self.queue = queue
        try DedicatedThread.start(name: "bulkhead-netns") { queue.drain() }
    }

    deinit { queue.close() }

    /// Runs `body` inside the namespace and returns its result; the caller's thread is free meanwhile.
    package func run<Value: Sendable>(
        in namespace: NetworkNamespace, _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try await perform {
            try namespace.enter()
            return try body()
        }
    }

    /// Runs `body` inside each namespace, in order; one that fails does not stop the others.
    package func run<Value: Sendable>(
        inEach namespaces: [NetworkNamespace], _ body: @escaping @Sendable () throws -> Value
    ) async -> [Result<Value, any Error>] {
        let results = try? await perform {
            namespaces.map { namespace in
                Result<Value, any Error> {
                    try namespace.enter()
                    return try body()
                }
            }
        }
        return results ?? []
    }

    /// The thread is at home when the result is handed on: it keeps no namespace alive, and who waits may go on on a
    /// thread that is started for it, which inherits the namespace of this one.
    private func perform<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            queue.add { [queue] in
                let result = Result(catching: body)
                leaveNamespace(for: queue.home)
                continuation.resume(with: result)
            }
        }
    }
}
