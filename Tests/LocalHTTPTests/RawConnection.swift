// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxHost

/// A socket that says what the test wants, however wrong.
final class RawConnection {
    private let descriptor: OwnedDescriptor

    init(_ path: String) throws {
        descriptor = OwnedDescriptor(adopting: socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: Array(path.utf8)) }
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor.rawValue, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw HostError.last("connect to \(path)") }
        _ = fcntl(descriptor.rawValue, F_SETFL, O_NONBLOCK)
    }

    func send(_ text: String) {
        let bytes = Array(text.utf8)
        _ = unsafe write(descriptor.rawValue, bytes, bytes.count)
    }

    /// All until the server closes; at most five seconds.
    func readUntilEnd() async throws -> String {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        for _ in 0..<1000 {
            let count = unsafe read(descriptor.rawValue, &buffer, buffer.count)
            if count > 0 {
                all += buffer[..<count]
            } else if count < 0 && errno == EAGAIN {
                try await Task.sleep(for: .milliseconds(5))
            } else {
                break
            }
        }
        return String(decoding: all, as: UTF8.self)
    }
}
