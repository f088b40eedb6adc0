// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxHost
import Synchronization

/// Everything one test makes on the host: namespaces, links, processes, containers, files.
///
/// Made through
/// `withTestBed`, which removes all of it, also when the test fails.
///
/// Each thing made is noted in the bed's `cleanup` file as the shell line that removes it, before it is made. So the
/// next bed can remove what a killed test run left behind.
package final class TestBed: Sendable {
    /// Starts the names of all that the bed makes: unique on this machine, at most 12 characters.
    package let prefix: String
    /// The bed's own directory.
    package let directory: String
    /// Number of the bed's address ranges: `10.<byte>.0.0/16` and `fdbb:<subnet>::/32`.
    package let subnet: Int
    /// Second byte of the bed's IPv4 addresses: 200...255 for the subnets 0...55, 144...193 for 56...105.
    package var byte: Int { subnet <= 55 ? 200 + subnet : 88 + subnet }

    private let counter = Atomic<Int>(0)
    private let started = Mutex<[SpawnedProcess]>([])
    private static let root = "/tmp/bulkhead-testbed"
    private static let bedCounter = Atomic<Int>(0)

    /// - Parameter subnet: 0...105, another one for each suite that may run at the same time.
    init(subnet: Int) async throws {
        precondition((0...105).contains(subnet), "subnet is 0...105")
        let number = Self.bedCounter.wrappingAdd(1, ordering: .relaxed).newValue
        self.subnet = subnet
        prefix = "bh\(getpid())x\(number)"
        directory = "\(Self.root)/\(prefix)"
        try makeDirectory(Self.root)
        try makeDirectory(directory)
        try writeFile("\(directory)/owner", "\(getpid()) \(processStartTime(getpid()) ?? 0)")
    }

    /// A name with the bed's prefix: `bh4711x1web`.
    package func name(_ stem: String) -> String { prefix + stem }

    /// A path in the bed's directory.
    package func path(_ name: String) -> String { "\(directory)/\(name)" }

    /// A directory for pins below the bpf file system; removed with the bed.
    /// - Parameter stem: another one for each agent that has one of its own.
    package func makePinDirectory(_ stem: String = "") async throws -> String {
        let path = "/sys/fs/bpf/\(prefix)\(stem)"
        try noteCleanup("rm -rf \(path)")
        try makeDirectory(path)
        return path
    }

    /// Notes a shell line that removes what is about to be made; the lines run last first.
    package func noteCleanup(_ line: String) throws {
        try writeFile("\(directory)/cleanup", line + "\n", appending: true)
    }

    /// Notes that what is mounted below the bed's directory is to be unmounted; before what mounts there is started.
    func noteMountCleanup() throws {
        let mounts = "awk -v d=\(directory)/ 'index($5, d) == 1 {print $5}' /proc/self/mountinfo"
        try noteCleanup("\(mounts) | sort -r | xargs -r umount -l")
    }

    /// Runs a command to its end.
    /// - Throws: `TestBedError` if it has not ended in time; then it is killed. The status is the caller's to check.
    @discardableResult
    package func run(
        _ arguments: [String], environment: [String: String] = [:], input: String? = nil,
        within limit: Duration = .seconds(60)
    ) async throws -> CommandResult {
        let stem = nextStem()
        var inputPath = "/dev/null"
        if let input {
            inputPath = stem + ".in"
            try writeFile(inputPath, input)
        }
        let process = try SpawnedProcess(
            arguments, environment: environment, inputPath: inputPath, outputStem: stem)
        guard let status = try? await process.waitForExit(within: limit) else {
            await process.stop(within: .zero)
            throw TestBedError("not ended within \(limit): \(process.command)\n\(process.output)\(process.errors)")
        }
        defer { for suffix in [".in", ".out", ".err"] { _ = unsafe unlink(stem + suffix) } }
        return CommandResult(
            command: process.command, status: status, output: process.output, errors: process.errors)
    }

    /// Runs a shell script to its end and checks its status.
    @discardableResult
    package func shell(_ script: String, within limit: Duration = .seconds(60)) async throws -> CommandResult {
        try await run(["sh", "-ec", script], within: limit).checked()
    }

    /// Starts a process that is killed with the bed.
    package func start(_ arguments: [String], environment: [String: String] = [:]) throws -> SpawnedProcess {
        let process = try SpawnedProcess(arguments, environment: environment, outputStem: nextStem())
        // The start time makes sure that only this very process is meant.
        let pid = process.pid
        try noteCleanup(
            """
            test "$(sed 's/.*) //' /proc/\(pid)/stat | cut -d' ' -f20)" = \(process.startTime) && kill -9 -\(pid)
            """)
        started.withLock { $0.append(process) }
        return process
    }

    /// Removes everything, newest first.
    ///
    /// What is gone already is no error.
    package func removeAll() async {
        await Self.runCleanup(of: directory)
        // Killed by now; asking for the status takes them off the process table.
        for process in startedProcesses { _ = try? await process.waitForExit(within: .seconds(5)) }
    }

    var startedProcesses: [SpawnedProcess] { started.withLock { $0 } }

    private func nextStem() -> String {
        path("run-\(counter.wrappingAdd(1, ordering: .relaxed).newValue)")
    }

    static func runCleanup(of directory: String) async {
        let lines = ((try? readTextFile("\(directory)/cleanup", bytesMax: 64 << 20)) ?? "").split(separator: "\n")
        let script = lines.reversed().map { "( \($0) ) || true" }.joined(separator: "\n")
        let stem = "\(root)/cleanup-\(getpid())-\(bedCounter.wrappingAdd(1, ordering: .relaxed).newValue)"
        // The owner and the list go last: while something cannot be removed, the next bed tries again.
        let removal = "find \(directory) -mindepth 1 -maxdepth 1 ! -name owner ! -name cleanup -exec rm -rf {} +"
        try? writeFile(stem + ".in", script + "\n\(removal) && rm -rf \(directory)\n")
        let process = try? SpawnedProcess(["sh"], inputPath: stem + ".in", outputStem: stem)
        if (try? await process?.waitForExit(within: .seconds(120))) == nil { await process?.stop(within: .zero) }
        for suffix in [".in", ".out", ".err"] { _ = unsafe unlink(stem + suffix) }
    }

    /// Removes the beds of test runs that are gone.
    static func removeStale() async {
        for name in (try? directoryEntries(root)) ?? [] where name.hasPrefix("bh") {
            let owner = ((try? readTextFile("\(root)/\(name)/owner")) ?? "").split(separator: " ")
            guard owner.count == 2, let pid = Int32(owner[0]), let start = UInt64(owner[1]) else { continue }
            let now = processStartTime(pid)
            // Nobody knows whose it is while /proc cannot be read: then it stays.
            guard now != start, now != nil || Glibc.kill(pid, 0) != 0 else { continue }
            await runCleanup(of: "\(root)/\(name)")
        }
    }
}

/// Gives `body` a fresh test bed and removes it afterwards, whatever happens; a program of ours that crashed fails it.
///
/// Where it waited in vain the error quotes what its agents said last.
///
/// - Parameter subnet: 0...105; see `TestBed.subnet`.
package func withTestBed<Result>(subnet: Int, _ body: (TestBed) async throws -> Result) async throws -> Result {
    guard geteuid() == 0 else { throw TestBedError("the test bed makes network namespaces: run as root") }
    await TestBed.removeStale()
    let bed = try await TestBed(subnet: subnet)
    let outcome: Swift.Result<Result, any Error>
    do { outcome = .success(try await body(bed)) } catch { outcome = .failure(error) }
    let (crashes, words) = (bed.crashes, bed.lastWords)
    await bed.removeAll()
    switch outcome {
    case .failure(let error as TestBedError):
        throw TestBedError([error.description, crashes, words].filter { !$0.isEmpty }.joined(separator: "\n"))
    case .failure where crashes.isEmpty: return try outcome.get()
    case .failure(let error): throw TestBedError("\(error)\n\(crashes)")
    case .success(let result):
        guard crashes.isEmpty else { throw TestBedError(crashes) }
        return result
    }
}

/// Writes a text file.
package func writeFile(_ path: String, _ content: String, appending: Bool = false) throws {
    let flags = O_WRONLY | O_CREAT | O_CLOEXEC | (appending ? O_APPEND : O_TRUNC)
    let number = unsafe open(path, flags, 0o644)
    guard number >= 0 else { throw HostError.last("write \(path)") }
    let file = OwnedDescriptor(adopting: number)
    var rest = Array(content.utf8)[...]
    while !rest.isEmpty {
        let count = unsafe rest.withUnsafeBytes { unsafe write(file.rawValue, $0.baseAddress, $0.count) }
        guard count > 0 else { throw HostError.last("write \(path)") }
        rest = rest.dropFirst(count)
    }
}

/// Makes a directory unless it is there.
package func makeDirectory(_ path: String) throws {
    guard unsafe mkdir(path, 0o755) == 0 || errno == EEXIST else { throw HostError.last("make directory \(path)") }
}

/// Renames a file over another, as editors save.
package func renameFile(_ path: String, to target: String) throws {
    guard unsafe rename(path, target) == 0 else { throw HostError.last("rename \(path) to \(target)") }
}
