// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A system call on this host that failed: what was tried, why it failed, and what to do about it.
package struct HostError: Error, Hashable, CustomStringConvertible {
    /// What was tried, with the object's name: `open network namespace /run/netns/web`.
    package let operation: String
    /// The errno of the call.
    package let code: Int32
    /// What the reader can do, if there is something.
    package let remedy: String?

    /// Describes a failure whose errno is already known.
    package init(_ operation: String, code: Int32, remedy: String? = nil) {
        self.operation = operation
        self.code = code
        self.remedy = remedy
    }

    /// Captures the current errno.
    ///
    /// Call before anything else (a close, an allocation) can overwrite it.
    package static func last(_ operation: String, remedy: String? = nil) -> HostError {
        HostError(operation, code: errno, remedy: remedy)
    }

    /// `cannot <operation>: <cause>; <remedy>`.
    package var description: String {
        "cannot \(operation): \(errnoText(code))" + (remedy.map { "; \($0)" } ?? "")
    }
}

/// The C library's text for an errno, with a lower-case first letter as house style has it.
package func errnoText(_ code: Int32) -> String {
    guard let text = unsafe strerror(code) else { return "errno \(code)" }
    let message = unsafe String(cString: text)
    return message.prefix(1).lowercased() + message.dropFirst()
}
