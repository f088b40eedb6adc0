// SPDX-License-Identifier: Apache-2.0

import AlertPipeline
import LinuxHost

/// Runs a command for each notice, with the JSON on its standard input; no shell is between.
///
/// Exit status 0: taken; 65 (EX_DATAERR): refused for good; anything else, or no end in time: tried again later.
package struct CommandSink: AlertSink {
    /// Program and arguments; the program is looked for in `PATH`.
    package let arguments: [String]
    package let timeLimit: Duration
    /// Commands at once.
    package let parallel: Int

    package init(arguments: [String], timeLimit: Duration = .seconds(10), parallel: Int = 2) {
        precondition(!arguments.isEmpty, "a command has a program")
        self.arguments = arguments
        self.timeLimit = timeLimit
        self.parallel = max(1, parallel)
    }

    package func deliver(_ notices: [SinkNotice]) async -> SinkDelivery {
        var delivered = 0
        while delivered < notices.count {
            let wave = Array(notices[delivered...].prefix(parallel))
            let failures = await withTaskGroup(of: (Int, SinkError?).self) { group in
                for (index, notice) in wave.enumerated() { group.addTask { (index, await run(notice)) } }
                var failures = [SinkError?](repeating: nil, count: wave.count)
                for await (index, failure) in group { failures[index] = failure }
                return failures
            }
            if let first = failures.firstIndex(where: { $0 != nil }) {
                return SinkDelivery(delivered: delivered + first, failure: failures[first])
            }
            delivered += wave.count
        }
        return SinkDelivery(delivered: delivered)
    }

    private func run(_ notice: SinkNotice) async -> SinkError? {
        let environment = [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
            "BULKHEAD_ALERT=\(notice.record.alert.id)", "BULKHEAD_NOTICE=\(notice.record.number)",
            "BULKHEAD_KIND=\(notice.record.kind.rawValue)", "BULKHEAD_SEVERITY=\(notice.record.alert.severity)",
        ]
        do {
            let command = try RunningCommand(
                arguments: arguments, environment: environment, input: notice.line + [UInt8(ascii: "\n")])
            let limit = timeLimit
            let timer = Task {
                guard (try? await Task.sleep(for: limit)) != nil else { return }
                command.end()
            }
            defer { timer.cancel() }
            return judge(try await DedicatedThread.run(name: "alert-command") { command.wait() })
        } catch {
            return SinkError("\(error)")
        }
    }

    private func judge(_ outcome: RunningCommand.Outcome) -> SinkError? {
        switch outcome {
        case .exited(0): nil
        case .exited(let status): SinkError("\(arguments[0]) ended with status \(status)", isRefusal: status == 65)
        case .killed(let signal): SinkError("\(arguments[0]) was ended by signal \(signal)")
        case .timedOut: SinkError("\(arguments[0]) took longer than \(timeLimit)")
        }
    }
}
