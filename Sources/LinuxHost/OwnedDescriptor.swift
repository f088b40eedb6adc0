// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A file descriptor with one owner; closed when the owner goes.
package struct OwnedDescriptor: ~Copyable, Sendable {
    /// The number, valid as long as the owner lives.
    package let rawValue: Int32

    /// Takes over an open descriptor.
    package init(adopting rawValue: Int32) { self.rawValue = rawValue }

    /// Opens a path read-only and close-on-exec.
    /// - Parameter purpose: what it is for, for the error text: `network namespace`.
    package init(opening path: String, flags: Int32 = O_RDONLY, purpose: String) throws(HostError) {
        let descriptor = unsafe open(path, flags | O_CLOEXEC)
        guard descriptor >= 0 else { throw HostError.last("open \(purpose) \(path)") }
        self.rawValue = descriptor
    }

    deinit { _ = close(rawValue) }
}
