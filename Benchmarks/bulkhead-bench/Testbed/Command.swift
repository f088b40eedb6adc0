// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

/// Runs the tools of the machine (ip, nft, iptables) and waits for them.
enum Command {
    struct Outcome {
        var output: String
        /// User and system time of the child, seconds.
        var cpuSeconds: Double
    }

    /// Runs `arguments` with `input` on its standard input; throws with the command's own words when it fails.
    @discardableResult
    static func run(
        _ arguments: [String], input: String = "", acceptingFailure: Bool = false
    ) throws -> Outcome {
        let scratch = try ScratchDirectory()
        let inputPath = scratch.path + "/input", outputPath = scratch.path + "/output"
        try input.write(toFile: inputPath, atomically: false, encoding: .utf8)
        let child = try spawn(arguments, input: inputPath, output: outputPath)
        var status: Int32 = 0
        var usage = rusage()
        while unsafe wait4(child, &status, 0, &usage) < 0 && errno == EINTR {}
        let output = (try? String(contentsOfFile: outputPath, encoding: .utf8)) ?? ""
        guard status == 0 || acceptingFailure else {
            let shown = arguments.joined(separator: " ")
            throw BenchError("'\(shown)' failed with status \(status >> 8): \(output.prefix(400))")
        }
        return Outcome(output: output, cpuSeconds: seconds(usage.ru_utime) + seconds(usage.ru_stime))
    }

    /// Starts `arguments` and returns the process id; output and errors go to `output`.
    static func spawn(_ arguments: [String], input: String = "/dev/null", output: String) throws -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        unsafe posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var words = unsafe arguments.map { unsafe strdup($0) }
        unsafe words.append(nil)
        defer { for index in unsafe words.indices { unsafe free(words[index]) } }
        var child: pid_t = 0
        let error = unsafe posix_spawnp(&child, arguments[0], &actions, nil, words, environ)
        guard error == 0 else {
            throw BenchError(
                "cannot run \(arguments[0]): errno \(error); is it installed? ('make bootstrap' installs it)")
        }
        return child
    }

    private static func seconds(_ time: timeval) -> Double {
        Double(time.tv_sec) + Double(time.tv_usec) / 1e6
    }
}

/// A directory that lives as long as the value.
final class ScratchDirectory {
    let path: String

    init() throws {
        let base = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
        path = "\(base)/bulkhead-bench.\(getpid()).\(UInt32.random(in: 0...UInt32.max))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }
}
