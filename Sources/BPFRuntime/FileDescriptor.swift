// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A file descriptor that is closed exactly once, when its owner goes away.
package struct FileDescriptor: ~Copyable, Sendable {
    /// The number; borrowed, never to be closed by the reader.
    package let rawValue: Int32

    /// Takes over a descriptor that nobody else closes.
    package init(owning rawValue: Int32) { self.rawValue = rawValue }

    deinit { close(rawValue) }

    /// A second descriptor for the same kernel object.
    package func duplicate() throws(BPFError) -> FileDescriptor {
        try FileDescriptor(owning: checkPOSIX(fcntl(rawValue, F_DUPFD_CLOEXEC, 0), "duplicate descriptor \(rawValue)"))
    }
}
