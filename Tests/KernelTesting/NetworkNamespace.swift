// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CLinuxShim
import Glibc
import Synchronization

/// Runs `body` on a fresh thread in a network namespace of its own, which goes with the thread.
///
/// Namespaces are per thread: never change them on a thread of the cooperative pool.
package func inFreshNetworkNamespace<Success: Sendable>(
    _ body: @escaping @Sendable () throws -> Success
) async throws -> Success {
    try await withCheckedThrowingContinuation { continuation in
        do {
            try startThread(named: "netns-test") {
                let result = bulkhead_unshare_network_namespace()
                guard result == 0 else {
                    continuation.resume(
                        throwing: BPFError(errno: errno, operation: "enter a fresh network namespace"))
                    return
                }
                continuation.resume(with: Result { try body() })
            }
        } catch {
            continuation.resume(throwing: error)
        }
    }
}

/// Runs a shell line on the calling thread's network namespace.
package func shell(_ line: String) throws {
    let status = unsafe system(line)
    guard status == 0 else { throw BPFError(errno: EINVAL, operation: "run `\(line)` (status \(status))") }
}
