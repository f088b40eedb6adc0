// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Runs a credential plugin and reads what it prints; blocks meanwhile.
enum ExecRunner {
    /// What it printed.
    ///
    /// It is ended once `secondsMax` are over.
    static func run(_ plugin: ExecPlugin, question: String, secondsMax: Int = 60) throws(KubernetesError) -> [UInt8] {
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else { throw failure(plugin, "no pipe: \(text(errno))") }
        defer { close(ends[0]) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var environment: [String: String] = inherited()
        environment.merge(plugin.environment) { $1 }
        environment["KUBERNETES_EXEC_INFO"] = question
        let process = spawn(
            [plugin.command] + plugin.arguments, environment.map { "\($0)=\($1)" }.sorted(), output: ends[1])
        close(ends[1])
        guard case .success(let pid) = process else {
            guard case .failure(let error) = process else { return [] }
            let hint = plugin.installHint.isEmpty ? "install it, or check PATH" : plugin.installHint
            throw failure(plugin, "cannot be started: \(text(error.code)); \(hint)")
        }
        let output = read(ends[0], secondsMax: secondsMax)
        if output == nil { kill(-pid, SIGKILL) }
        var status: Int32 = 0
        while unsafe waitpid(pid, &status, 0) < 0, errno == EINTR {}
        guard let output else { throw failure(plugin, "printed nothing useful in \(secondsMax) s and was ended") }
        guard status == 0 else {
            let how = status & 0x7f == 0 ? "ended with \(status >> 8 & 0xff)" : "was killed by signal \(status & 0x7f)"
            throw failure(plugin, "\(how); run it by hand to see why")
        }
        return output
    }

    private struct SpawnError: Error { let code: Int32 }

    private static func spawn(
        _ arguments: [String], _ environment: [String], output: Int32
    ) -> Result<pid_t, SpawnError> {
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawnattr_init(&attributes)
        defer {
            unsafe posix_spawn_file_actions_destroy(&actions)
            unsafe posix_spawnattr_destroy(&attributes)
        }
        unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        // Threads of servers block signals: the plugin begins as if from a shell, in a group that can be ended whole.
        var none = sigset_t()
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
        var process = pid_t()
        let code = unsafe withPointers(arguments) { arguments in
            unsafe withPointers(environment) { environment in
                guard let program = unsafe arguments.first ?? nil else { return EINVAL }
                // Somebody may be writing the program just now.
                for _ in 0..<10 {
                    let code = unsafe posix_spawnp(&process, program, &actions, &attributes, arguments, environment)
                    guard code == ETXTBSY else { return code }
                    poll(nil, 0, 50)
                }
                return ETXTBSY
            }
        }
        return code == 0 ? .success(process) : .failure(SpawnError(code: code))
    }

    /// All of a pipe, at most 1 MB; nil if that takes too long or is too much.
    private static func read(_ descriptor: Int32, secondsMax: Int) -> [UInt8]? {
        let deadline = ContinuousClock.now + .seconds(secondsMax)
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let left = ContinuousClock.now.duration(to: deadline)
            guard left > .zero, output.count < 1 << 20 else { return nil }
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let ready = unsafe poll(&waiting, 1, Int32(left.components.seconds * 1_000 + 1))
            if ready < 0 && errno == EINTR { continue }
            guard ready > 0 else { return nil }
            let count = unsafe Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return count == 0 ? output : nil }
            output += chunk[..<count]
        }
    }

    private static func inherited() -> [String: String] {
        var variables: [String: String] = [:]
        var next = unsafe environ
        while let entry = unsafe next.pointee {
            let text = unsafe String(cString: entry)
            if let sign = text.firstIndex(of: "=") {
                variables[String(text[..<sign])] = String(text[text.index(after: sign)...])
            }
            unsafe next += 1
        }
        return variables
    }

    /// The texts as C has them, with a null behind the last.
    private static func withPointers<Result>(
        _ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let pointers = unsafe texts.map { unsafe strdup($0) } + [nil]
        defer { unsafe pointers.forEach { unsafe free($0) } }
        return unsafe body(pointers)
    }

    private static func text(_ code: Int32) -> String { unsafe String(cString: strerror(code)) }

    private static func failure(_ plugin: ExecPlugin, _ text: String) -> KubernetesError {
        KubernetesError(.configuration, "credential plugin \(plugin.command) \(text)")
    }
}
