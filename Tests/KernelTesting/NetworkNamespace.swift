// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CLinuxShim
import Glibc
import Synchronization

/// Runs `body` on a fresh thread in a network namespace of its own, which goes with the thread.
///
/// Namespaces are per thread: never change them on a thread of the cooperative pool. `body` stays part of the caller's task,
/// so that what it expects in vain fails the test that is running, by name.
package func inFreshNetworkNamespace<Success: Sendable>(
    _ body: @escaping @Sendable () throws -> Success
) async throws -> Success {
    try await withTaskExecutorPreference(FreshThreads()) {
        let result = bulkhead_unshare_network_namespace()
        guard result == 0 else { throw BPFError(errno: errno, operation: "enter a fresh network namespace") }
        return try body()
    }
}

/// Runs each job on a thread that ends with it: what never waits is one job.
private final class FreshThreads: TaskExecutor {
    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        do {
            try startThread(named: "netns-test") { [self] in
                unsafe job.runSynchronously(on: asUnownedTaskExecutor())
            }
        } catch {
            fatalError("\(error)")
        }
    }
}

/// Runs a shell line on the calling thread's network namespace.
package func shell(_ line: String) throws {
    let status = unsafe system(line)
    guard status == 0 else { throw BPFError(errno: EINVAL, operation: "run `\(line)` (status \(status))") }
}
