// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import LinuxHost

@Suite struct DirectoryWatcherTests {
    /// A directory of the test's own, empty, with changes of it.
    private final class Scratch {
        let path: String

        init() throws {
            var template = Array("/tmp/bulkhead-watch-XXXXXX".utf8CString)
            guard unsafe mkdtemp(&template) != nil else { throw HostError.last("make a directory") }
            path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        }

        deinit { _ = unsafe system("rm -rf \(path)") }

        func shell(_ script: String) { _ = unsafe system("cd \(path); \(script)") }
    }

    @Test(.timeLimit(.minutes(1))) func `the first report asks for a full read`() async throws {
        let scratch = try Scratch()
        var changes = try DirectoryWatcher.changes(in: scratch.path).makeAsyncIterator()
        #expect(await changes.next() == DirectoryChange(isComplete: false))
    }

    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            ("echo x > a", ["a"]),
            ("echo x > .a.swp; mv .a.swp a", [".a.swp", "a"]),
            ("ln -s elsewhere a", ["a"]),
            ("echo x > a; rm a", ["a"]),
            ("for f in a b c; do echo x > $f; done", ["a", "b", "c"]),
        ] as [(String, Set<String>)]) func `what ended within the debounce time is one report`(
            script: String, names: Set<String>
        ) async throws
    {
        let scratch = try Scratch()
        // A tenth of it is the quiet that ends a report: on a busy machine a shell takes its time between two commands.
        var changes = try DirectoryWatcher.changes(in: scratch.path, debounceMilliseconds: 2000).makeAsyncIterator()
        _ = await changes.next()
        scratch.shell(script)
        #expect(await changes.next() == DirectoryChange(names: names))
    }

    /// What is reported of a script that runs in a directory with files `a` and `b`, and after how many seconds.
    private func report(
        of script: String, debounceMilliseconds: Int32
    ) async throws -> (change: DirectoryChange?, seconds: Double) {
        let scratch = try Scratch()
        scratch.shell("echo x > a; echo x > b")
        var changes = try DirectoryWatcher.changes(in: scratch.path, debounceMilliseconds: debounceMilliseconds)
            .makeAsyncIterator()
        _ = await changes.next()
        let begin = HostClock.monotonicNanoseconds()
        scratch.shell(script)
        let change = await changes.next()
        return (change, Double(HostClock.monotonicNanoseconds() - begin) / 1e9)
    }

    @Test(
        .timeLimit(.minutes(2)),
        arguments: [("echo y > .a; mv .a a", [".a", "a"]), ("rm a; echo z > a", ["a"])] as [(String, Set<String>)])
    func `what was replaced does not wait for the whole debounce time`(script: String, names: Set<String>) async throws
    {
        // Long enough that only the whole of it could take so long, on however busy a machine.
        let report = try await report(of: script, debounceMilliseconds: 40_000)
        #expect(report.change == DirectoryChange(names: names))
        #expect(report.seconds < 40)
    }

    @Test(
        .timeLimit(.minutes(1)),
        arguments: [("rm b", ["b"]), ("mv a ../$$.gone && rm ../$$.gone", ["a"])] as [(String, Set<String>)])
    func `what went away and was not replaced waits for the whole debounce time`(
        script: String, names: Set<String>
    ) async throws {
        let report = try await report(of: script, debounceMilliseconds: 2000)
        #expect(report.change == DirectoryChange(names: names))
        #expect(report.seconds >= 2)
    }

    @Test(.timeLimit(.minutes(1))) func `a file is not reported while its writer has it open`() async throws {
        let scratch = try Scratch()
        var changes = try DirectoryWatcher.changes(in: scratch.path).makeAsyncIterator()
        _ = await changes.next()
        // `slow` is open for 0.3 s; `quick` is written meanwhile and must come alone.
        scratch.shell("(echo half; sleep 0.3; echo rest) > slow & sleep 0.1; echo x > quick; sleep 0.1")
        #expect(await changes.next() == DirectoryChange(names: ["quick"]))
        #expect(await changes.next() == DirectoryChange(names: ["slow"]))
    }

    @Test(.timeLimit(.minutes(1))) func `a directory that goes and comes back is read anew`() async throws {
        let scratch = try Scratch()
        scratch.shell("mkdir d")
        var changes = try DirectoryWatcher.changes(in: scratch.path + "/d").makeAsyncIterator()
        _ = await changes.next()
        scratch.shell("rmdir d")
        #expect(await changes.next()?.directoryExists == false)
        scratch.shell("mkdir d")
        let back = await changes.next()
        #expect(back?.directoryExists == true)
        #expect(back?.isComplete == false)
    }

    @Test(.timeLimit(.minutes(1))) func `a single file is followed through renames over it`() async throws {
        let scratch = try Scratch()
        var changes = try DirectoryWatcher.changes(ofFile: scratch.path + "/f").makeAsyncIterator()
        _ = await changes.next()
        scratch.shell("echo x > other; sleep 0.1; echo x > .f; mv .f f")
        #expect(await changes.next()?.names.contains("f") == true)
    }
}
