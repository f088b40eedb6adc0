// SPDX-License-Identifier: Apache-2.0
import CLinuxShim
import Glibc

/// Runs `body` on a new thread, outside the cooperative pool, where blocking is allowed.
///
/// The name is cut at 15 bytes.
package func startThread(named name: String, _ body: @escaping @Sendable () -> Void) throws(BPFError) {
    pthread_detach(try makeThread(named: name, body))
}

/// Runs `body` for each number below `count`, 0 on the calling thread and each other on a thread of its own, and waits
/// for all of them; where no thread is to be had it is the caller's turn.
func inThreads(named name: String, count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    var threads: [pthread_t] = []
    var left: [Int] = [0]
    for number in 1..<max(count, 1) {
        do { threads.append(try makeThread(named: name) { body(number) }) } catch { left.append(number) }
    }
    if count > 0 { left.forEach(body) }
    for thread in threads { pthread_join(thread, nil) }
}

/// A thread that somebody has to join or to detach.
private func makeThread(named name: String, _ body: @escaping @Sendable () -> Void) throws(BPFError) -> pthread_t {
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
    return thread
}
