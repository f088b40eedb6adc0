// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

/// A running agent.
final class AgentProcess {
    private let identifier: pid_t
    private var isRunning = true

    init(_ arguments: [String], environment: [String], output: String) throws {
        identifier = try Command.spawn(["env"] + environment + arguments, output: output)
    }

    /// SIGKILL, and waits until it is gone.
    func kill() {
        guard isRunning else { return }
        isRunning = false
        Glibc.kill(identifier, SIGKILL)
        while waitpid(identifier, nil, 0) < 0 && errno == EINTR {}
    }

    var residentMegabytes: Double {
        get throws {
            let status = try String(contentsOfFile: "/proc/\(identifier)/status", encoding: .utf8)
            let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
            guard let kilobytes = line.flatMap({ Double($0.filter(\.isNumber)) }) else {
                throw BenchError("cannot read the agent's memory from /proc/\(identifier)/status")
            }
            return kilobytes * 1024 / 1e6
        }
    }
}

/// Hears a service say that it is ready: the receiving end of the sd_notify protocol.
final class ReadinessListener {
    let path: String
    private let descriptor: Int32

    init(path: String) throws {
        self.path = path
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        unsafe unlink(path)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8.prefix(107)) }
        let bound = unsafe withUnsafePointer(to: address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard descriptor >= 0, bound == 0 else { throw BenchError("cannot listen at \(path): errno \(errno)") }
    }

    deinit { close(descriptor) }

    /// False if nothing was heard in time.
    func waitUntilReady(seconds: Int) throws -> Bool {
        let end = Clocks.wall + UInt64(seconds) * 1_000_000_000
        var buffer = [UInt8](repeating: 0, count: 4096)
        while Clocks.wall < end {
            var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard unsafe poll(&wait, 1, 1000) == 1 else { continue }
            let count = unsafe read(descriptor, &buffer, buffer.count)
            let text = String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self)
            if text.split(separator: "\n").contains("READY=1") { return true }
        }
        return false
    }
}
