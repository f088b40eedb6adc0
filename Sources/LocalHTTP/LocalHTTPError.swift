// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxHost
import NIOCore
import NIOPosix

/// A request over a Unix socket that got no usable answer, or a socket that cannot be served.
package struct LocalHTTPError: Error, Hashable, CustomStringConvertible {
    /// Kinds of failure a caller may want to tell apart.
    package enum Code: Hashable, Sendable {
        /// Nobody listens: the socket file is missing, or left over from a process that is gone.
        case absent
        /// The socket's mode or owner keeps this user out.
        case forbidden
        /// No answer, or no complete one, within the time.
        case timedOut
        /// The answer is longer than the caller wants to hold.
        case tooLarge
        /// What came is no HTTP, or it ended in the middle.
        case broken
        /// The path cannot be bound: in use, not a socket, or too long.
        case unusablePath
    }

    package let code: Code
    package let socketPath: String
    /// Cause and remedy, without the path.
    package let reason: String

    /// Describes a failure on a socket.
    package init(_ code: Code, socketPath: String, reason: String) {
        self.code = code
        self.socketPath = socketPath
        self.reason = reason
    }

    /// `cannot use socket <path>: <cause>; <remedy>`.
    package var description: String { "cannot use socket \(socketPath): \(reason)" }

    /// What became of each address that a name stands for; the last one tells enough.
    private static func connecting(_ error: NIOConnectionError, socketPath: String) -> LocalHTTPError {
        if let last = error.connectionErrors.last { return connecting(last.error, socketPath: socketPath) }
        let cause = error.dnsAError ?? error.dnsAAAAError
        return LocalHTTPError(.absent, socketPath: socketPath, reason: "no such host" + (cause.map { ": \($0)" } ?? ""))
    }

    /// Turns what connecting threw into a failure with a remedy.
    static func connecting(_ error: any Error, socketPath: String) -> LocalHTTPError {
        if let error = error as? LocalHTTPError { return error }
        if let error = error as? NIOConnectionError { return connecting(error, socketPath: socketPath) }
        guard let code = (error as? IOError)?.errnoCode else {
            return LocalHTTPError(.broken, socketPath: socketPath, reason: "\(error)")
        }
        switch code {
        case ENOENT, ENOTDIR:
            return LocalHTTPError(.absent, socketPath: socketPath, reason: "it does not exist; is the service running?")
        case ECONNREFUSED:
            return LocalHTTPError(.absent, socketPath: socketPath, reason: "nobody listens on it; start the service")
        case EACCES, EPERM:
            return LocalHTTPError(
                .forbidden, socketPath: socketPath, reason: "permission denied; become root or join the socket's group")
        default:
            return LocalHTTPError(.broken, socketPath: socketPath, reason: errnoText(code))
        }
    }
}
