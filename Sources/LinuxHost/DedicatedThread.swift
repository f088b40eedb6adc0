// SPDX-License-Identifier: Apache-2.0

import CLinuxShim
import Glibc

/// Runs work that blocks, or that changes its thread (setns), on a thread of its own: never on one of the few that
/// Swift concurrency shares.
package enum DedicatedThread {
    private final class Work {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Starts a detached thread that ends with `body`.
    /// - Parameter name: shown by `ps -L` and `top -H`; at most 15 characters.
    static func start(name: String, body: @escaping @Sendable () -> Void) throws(HostError) {
        let work = unsafe Unmanaged.passRetained(Work(name: name, body: body))
        var thread = pthread_t()
        let code = unsafe pthread_create(
            &thread, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                let work = unsafe Unmanaged<Work>.fromOpaque(argument).takeRetainedValue()
                unsafe bulkhead_name_thread(work.name)
                work.body()
                return nil
            }, work.toOpaque())
        guard code == 0 else {
            unsafe work.release()
            throw HostError("start thread \(name)", code: code)
        }
        pthread_detach(thread)
    }

    /// Runs `body` on a thread that ends with it, and returns its result; the caller's thread is free meanwhile.
    package static func run<Value: Sendable>(
        name: String, body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            do throws(HostError) {
                try start(name: name) { continuation.resume(with: Result(catching: body)) }
            } catch {
                continuation.resume(throwing: error)
            }
        }
    }
}
