// SPDX-License-Identifier: Apache-2.0

import CLinuxShim
import Glibc
import LinuxHost
import Synchronization

/// A process in a group of its own: what it starts ends with it.
final class RunningCommand: Sendable {
    enum Outcome: Hashable, Sendable {
        case exited(Int32)
        case killed(Int32)
        case timedOut
    }

    private struct State {
        var isOver = false
        var isTimedOut = false
    }

    private let process: pid_t
    private let state = Mutex(State())

    /// Starts it with `input` as a file on standard input; its output goes nowhere.
    init(arguments: [String], environment: [String], input: [UInt8]) throws(HostError) {
        let file = OwnedDescriptor(adopting: unsafe bulkhead_memory_file("bulkhead-alert"))
        guard file.rawValue >= 0 else { throw HostError.last("make the input of \(arguments[0])") }
        let written = unsafe input.withUnsafeBytes { unsafe write(file.rawValue, $0.baseAddress, $0.count) }
        guard written == input.count, lseek(file.rawValue, 0, SEEK_SET) == 0 else {
            throw HostError.last("write the input of \(arguments[0])")
        }
        process = try RunningCommand.spawn(arguments, environment, input: file.rawValue)
    }

    private static func spawn(
        _ arguments: [String], _ environment: [String], input: Int32
    ) throws(HostError) -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawnattr_init(&attributes)
        defer {
            unsafe posix_spawn_file_actions_destroy(&actions)
            unsafe posix_spawnattr_destroy(&attributes)
        }
        unsafe posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
        unsafe posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
        unsafe bulkhead_spawn_close_from(&actions, 3)
        // The agent's threads block signals and ignore some: the command begins as if from a shell.
        var (none, usual) = (sigset_t(), sigset_t())
        unsafe sigemptyset(&none)
        unsafe sigemptyset(&usual)
        for signal in [SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGCHLD] { unsafe sigaddset(&usual, signal) }
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setsigdefault(&attributes, &usual)
        unsafe posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var process = pid_t()
        let code = unsafe withPointers(arguments) { arguments in
            unsafe withPointers(environment) { environment in
                guard let program = unsafe arguments.first ?? nil else { return EINVAL }
                return unsafe posix_spawnp(&process, program, &actions, &attributes, arguments, environment)
            }
        }
        guard code == 0 else { throw HostError("run \(arguments[0])", code: code) }
        return process
    }

    /// The texts as C has them, with a null behind the last.
    private static func withPointers<Result>(
        _ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let pointers = unsafe texts.map { unsafe strdup($0) } + [nil]
        defer { unsafe pointers.forEach { unsafe free($0) } }
        return unsafe body(pointers)
    }

    /// Ends it and what it started, because its time is up.
    func end() {
        state.withLock { state in
            guard !state.isOver else { return }
            state.isTimedOut = true
            kill(-process, SIGKILL)
        }
    }

    /// Blocks until it has ended.
    func wait() -> Outcome {
        var information = unsafe siginfo_t()
        while unsafe waitid(P_PID, id_t(process), &information, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        let isTimedOut = state.withLock { state in
            state.isOver = true
            // As long as it is not reaped its number stands for nobody else.
            kill(-process, SIGKILL)
            return state.isTimedOut
        }
        var status: Int32 = 0
        while unsafe waitpid(process, &status, 0) < 0, errno == EINTR {}
        if isTimedOut { return .timedOut }
        return status & 0x7f == 0 ? .exited(status >> 8 & 0xff) : .killed(status & 0x7f)
    }
}
