// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc
import LinuxHost

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

    /// False once it has ended by itself.
    var isAlive: Bool {
        guard isRunning else { return false }
        isRunning = waitpid(identifier, nil, WNOHANG) == 0
        return isRunning
    }

    /// CPU time of all its threads, also of those that are over, in milliseconds; counted in ticks of ten.
    var cpuMilliseconds: Double {
        get throws {
            let text = String(decoding: try readFile("/proc/\(identifier)/stat", bytesMax: 1 << 16), as: UTF8.self)
            // Behind the name, which may hold anything: user and kernel time are the 14th and 15th field of all.
            let fields = (text.split(separator: ")").last ?? "").split(separator: " ")
            guard fields.count > 12, let user = Double(fields[11]), let kernel = Double(fields[12]) else {
                throw BenchError("cannot read /proc/\(identifier)/stat: it names no CPU time")
            }
            return (user + kernel) * 1000 / Double(sysconf(Int32(_SC_CLK_TCK)))
        }
    }

    /// The most that was resident since the start, in MB (10^6 bytes).
    var peakMegabytes: Double {
        get throws {
            let text = String(decoding: try readFile("/proc/\(identifier)/status", bytesMax: 1 << 16), as: UTF8.self)
            let line = text.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
            guard let kilobytes = Double(line.filter(\.isNumber)) else {
                throw BenchError("cannot read /proc/\(identifier)/status: it names no peak")
            }
            return kilobytes * 1024 / 1e6
        }
    }

    /// Resident memory in MB (10^6 bytes).
    struct Memory {
        /// The process's own: code, heap, stacks.
        var own = 0.0
        /// Kernel tables that it has mapped; they are the kernel's, with or without the agent.
        var kernelTables = 0.0
        /// What `VmRSS` says.
        var total: Double { own + kernelTables }
    }

    var memory: Memory {
        get throws {
            var memory = Memory(), isTable = false
            let text = String(decoding: try readFile("/proc/\(identifier)/smaps", bytesMax: 16 << 20), as: UTF8.self)
            for line in text.split(separator: "\n") {
                if line.hasPrefix("Rss:") {
                    let bytes = (Double(line.filter(\.isNumber)) ?? 0) * 1024
                    if isTable { memory.kernelTables += bytes / 1e6 } else { memory.own += bytes / 1e6 }
                } else if line.first?.isHexDigit == true, !line.prefix(20).contains(":") {
                    isTable = line.hasSuffix("anon_inode:bpf-map")
                }
            }
            guard memory.own > 0 else { throw BenchError("cannot read /proc/\(identifier)/smaps: it names no memory") }
            return memory
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
