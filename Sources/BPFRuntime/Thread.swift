// SPDX-License-Identifier: Apache-2.0
import CLinuxShim
import Glibc

/// Runs `body` on a new thread, outside the cooperative pool, where blocking is allowed.
///
/// The name is cut at 15 bytes.
package func startThread(named name: String, _ body: @escaping @Sendable () -> Void) throws(BPFError) {
    final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void
        init(_ name: String, _ body: @escaping @Sendable () -> Void) {
            self.name = String(name.prefix(15))
            self.body = body
        }
    }
    let start = unsafe Unmanaged.passRetained(Start(name, body))
    var thread = pthread_t()
    let result = unsafe pthread_create(
        &thread, nil,
        { argument in
            guard let argument = unsafe argument else { return nil }
            let start = unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
            unsafe bulkhead_name_thread(start.name)
            start.body()
            return nil
        }, start.toOpaque())
    guard result == 0 else {
        unsafe start.release()
        throw BPFError(errno: result, operation: "start the thread \(name)")
    }
    pthread_detach(thread)
}
