// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxHost

/// Tells the service manager how far the agent is: the `sd_notify` protocol, one datagram to `NOTIFY_SOCKET`.
struct ReadinessNotifier: Sendable {
    private let socketPath: String?

    /// `socketPath`: the value of `NOTIFY_SOCKET`; nil or empty: nobody wants to know.
    init(socketPath: String?) {
        self.socketPath = socketPath.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// State is in force and the API answers.
    func ready(status: String) { send("READY=1\nSTATUS=\(status)") }

    /// A new line for `systemctl status`.
    func status(_ text: String) { send("STATUS=\(text)") }

    /// The agent is going; enforcement stays.
    func stopping() { send("STOPPING=1\nSTATUS=stopping; enforcement stays in the kernel") }

    private func send(_ message: String) {
        guard let socketPath else { return }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // A leading "@" stands for the zero byte of an abstract name.
        var path = Array(socketPath.utf8)
        if path.first == 0x40 { path[0] = 0 }
        guard path.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { target in unsafe target.copyBytes(from: path) }
        let isAbstract = path.first == 0
        let length = MemoryLayout<sa_family_t>.size + path.count + (isAbstract ? 0 : 1)
        let bytes = Array(message.utf8)
        // A manager that does not listen is no reason to fail.
        unsafe withUnsafePointer(to: &address) { pointer in
            _ = unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { target in
                unsafe sendto(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL), target, socklen_t(length))
            }
        }
    }
}
