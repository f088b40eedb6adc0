// SPDX-License-Identifier: Apache-2.0
import CLinuxShim
import Synchronization

/// Collects libbpf's warnings, which would otherwise go to standard error.
///
/// libbpf has one sink for the process, so loading is serialised: `collect` holds the lock while its body runs.
enum LibbpfLog {
    private static let loading = Mutex<Void>(())
    private static let messages = Mutex<[String]>([])
    private static let messageCountMax = 1000
    /// Installed once; a global's initialiser runs exactly once.
    private static let install: Void = unsafe bulkhead_set_libbpf_log_sink { message in
        guard let message = unsafe message else { return }
        let text = unsafe String(cString: message)
        messages.withLock { kept in
            if kept.count >= messageCountMax { kept.removeFirst(kept.count / 2) }
            kept.append(text)
        }
    }

    /// Runs a libbpf call and returns its result with everything libbpf said meanwhile.
    static func collect<Result>(_ body: () -> Result) -> (result: Result, log: String) {
        _ = install
        return loading.withLock { _ in
            messages.withLock { $0.removeAll() }
            let result = body()
            return (result, messages.withLock { $0.joined() })
        }
    }
}
