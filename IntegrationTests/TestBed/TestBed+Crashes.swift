// SPDX-License-Identifier: Apache-2.0

import Glibc

extension TestBed {
    /// What programs of ours said that ended by a fault of their own, and not by a test's hand; empty: none did.
    var crashes: String {
        let faults: Set<Int32> = [SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV]
        return startedProcesses.compactMap { process in
            guard process.command.contains("bulkhead"), let status = process.exitStatus, faults.contains(status - 128)
            else { return nil }
            // A crash is told at the end: message, then a backtrace if SWIFT_BACKTRACE asks for one.
            let errors = process.errors.split(separator: "\n", omittingEmptySubsequences: false)
            let begin = errors.firstIndex { $0.contains("Fatal error") || $0.contains("crashed") } ?? errors.count - 1
            let told = errors.dropFirst(max(0, begin - 5)).prefix(80).joined(separator: "\n")
            return "ended with \(status): \(process.command)\n\(told)"
        }.joined(separator: "\n")
    }

    /// How the agents of a test that failed are, and what they said last: a test that waited in vain knows neither.
    var lastWords: String {
        startedProcesses.filter { $0.command.contains("bulkhead-agent") }.map { process in
            let state = process.exitStatus.map { "ended with \($0)" } ?? "runs"
            let lines = process.errors.split(separator: "\n").suffix(8).map { "  \($0.prefix(300))" }
            return (["agent \(process.pid) \(state)"] + lines).joined(separator: "\n")
        }.joined(separator: "\n")
    }
}
