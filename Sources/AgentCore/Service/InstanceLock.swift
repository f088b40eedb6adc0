// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxHost

/// Held by the one agent that may write to a pin directory; the kernel releases it when the process ends.
struct InstanceLock: ~Copyable {
    private let descriptor: OwnedDescriptor

    /// Takes the lock file, or says who has it.
    init(path: String) throws(AgentError) {
        let raw = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard raw >= 0 else { throw AgentError("cannot open the lock \(path): \(errnoText(errno))") }
        let owned = OwnedDescriptor(adopting: raw)
        guard flock(raw, LOCK_EX | LOCK_NB) == 0 else {
            let holder = (try? readTextFile(path)).map { $0.filter(\.isNumber) } ?? ""
            throw AgentError(
                "another agent\(holder.isEmpty ? "" : " (pid \(holder))") holds \(path): "
                    + "stop it first, or give this one its own --run-dir, --state-dir and --bpffs")
        }
        ftruncate(raw, 0)
        let text = Array("\(getpid())\n".utf8)
        _ = unsafe text.withUnsafeBytes { unsafe write(raw, $0.baseAddress, $0.count) }
        descriptor = owned
    }
}

/// An error that stops the agent or refuses a change; the text names object, cause and remedy.
package struct AgentError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
