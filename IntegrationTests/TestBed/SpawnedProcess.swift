// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxHost
import Synchronization

/// A child process in a process group of its own, with its output in files.
///
/// Ends only by itself or by `stop`/`kill`.
package final class SpawnedProcess: Sendable {
    package let pid: Int32
    /// The command line, for messages.
    package let command: String
    /// File that holds what it wrote to standard output.
    package let outputPath: String
    /// File that holds what it wrote to standard error.
    package let errorPath: String
    /// Start time in clock ticks since boot: with the pid it tells processes apart for ever.
    package let startTime: UInt64
    private let end = Mutex<End?>(nil)

    /// What a process used in its life.
    package struct Usage: Sendable {
        /// User and system time, seconds.
        package var cpuSeconds: Double
        /// Resident at most, bytes; at least what its parent had when it was started, as the kernel counts it.
        package var residentBytesMax: Int
    }

    private struct End {
        var status: Int32
        var usage: Usage
    }

    /// Starts `arguments[0]`, looked up in PATH.
    /// - Parameters:
    ///   - environment: added to this process's environment.
    ///   - inputPath: what it reads as standard input.
    ///   - outputStem: the output goes to `<stem>.out`, errors to `<stem>.err`.
    package init(
        _ arguments: [String], environment: [String: String] = [:], inputPath: String = "/dev/null", outputStem: String
    ) throws {
        command = arguments.joined(separator: " ")
        outputPath = outputStem + ".out"
        errorPath = outputStem + ".err"
        pid = try Self.spawn(arguments, environment, inputPath, outputPath, errorPath)
        startTime = processStartTime(pid) ?? 0
    }

    /// What it wrote to standard output so far.
    package var output: String { (try? readTextFile(outputPath, bytesMax: 256 << 20)) ?? "" }

    /// What it wrote to standard error so far.
    package var errors: String { (try? readTextFile(errorPath, bytesMax: 256 << 20)) ?? "" }

    /// The exit status as a shell gives it (128 + signal), or nil while it runs.
    package var exitStatus: Int32? { reap()?.status }

    /// What it used, its children that it waited for included; nil while it runs.
    package var usage: Usage? { reap()?.usage }

    private func reap() -> End? {
        end.withLock { known in
            if let known { return known }
            var raw: Int32 = 0
            var used = rusage()
            guard unsafe wait4(pid, &raw, WNOHANG, &used) == pid else { return nil }
            let signal = raw & 0x7f
            let seconds = Double(used.ru_utime.tv_sec + used.ru_stime.tv_sec)
            known = End(
                status: signal == 0 ? (raw >> 8) & 0xff : 128 + signal,
                usage: Usage(
                    cpuSeconds: seconds + Double(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6,
                    residentBytesMax: used.ru_maxrss << 10))
            return known
        }
    }

    /// Waits for its end.
    /// - Returns: the exit status, nil if it still runs when the time is over.
    package func waitForExit(within limit: Duration) async throws -> Int32? {
        let clock = ContinuousClock()
        let deadline = clock.now + limit
        while true {
            if let status = exitStatus { return status }
            guard clock.now < deadline else { return nil }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    /// Sends a signal to it alone.
    package func signal(_ number: Int32) {
        if exitStatus == nil { _ = Glibc.kill(pid, number) }
    }

    /// Kills it and its group at once (SIGKILL) and waits for its end: a shell's pipeline would go on without the shell.
    package func kill() async {
        if exitStatus == nil { _ = Glibc.kill(-pid, SIGKILL) }
        _ = try? await waitForExit(within: .seconds(5))
    }

    /// Asks it to end (SIGTERM), kills it and its group if it does not.
    /// - Returns: the exit status.
    @discardableResult
    package func stop(within limit: Duration = .seconds(5)) async -> Int32? {
        signal(SIGTERM)
        if let status = try? await waitForExit(within: limit) { return status }
        if exitStatus == nil { _ = Glibc.kill(-pid, SIGKILL) }
        return try? await waitForExit(within: .seconds(5))
    }

    private static func spawn(
        _ arguments: [String], _ environment: [String: String], _ input: String, _ output: String, _ errors: String
    ) throws -> Int32 {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        let writing = O_WRONLY | O_CREAT | O_APPEND
        unsafe posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, 1, output, writing, 0o644)
        unsafe posix_spawn_file_actions_addopen(&actions, 2, errors, writing, 0o644)
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
        // The thread that runs this task blocks nearly every signal, and a child would inherit that.
        var none = sigset_t()
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setpgroup(&attributes, 0)

        var argv = unsafe arguments.map { unsafe strdup($0) } + [nil]
        var envp = unsafe merged(environment).map { unsafe strdup($0) } + [nil]
        defer { unsafe (argv + envp).forEach { unsafe free($0) } }
        var pid: pid_t = 0
        let code = unsafe posix_spawnp(&pid, arguments[0], &actions, &attributes, &argv, &envp)
        guard code == 0 else {
            throw TestBedError("cannot start \(arguments.joined(separator: " ")): \(errnoText(code))")
        }
        return pid
    }

    private static func merged(_ additions: [String: String]) -> [String] {
        let own = ((try? readFile("/proc/self/environ")) ?? []).split(separator: 0).map {
            String(decoding: $0, as: UTF8.self)
        }
        return own.filter { entry in !additions.keys.contains { entry.hasPrefix($0 + "=") } }
            + additions.map { "\($0.key)=\($0.value)" }
    }
}

/// Start time of a process in clock ticks since boot; nil if it is gone.
package func processStartTime(_ pid: Int32) -> UInt64? {
    guard let stat = try? readTextFile("/proc/\(pid)/stat"), let end = stat.lastIndex(of: ")") else { return nil }
    // Field 22 of the file, the 20th after the command name, which may hold blanks.
    let fields = stat[stat.index(after: end)...].split(separator: " ")
    return fields.count > 19 ? UInt64(fields[19]) : nil
}
