// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import FlowAggregation
import LinuxHost
import Logging
import PolicyLog

/// Keeps the policy log: takes the flows that are wanted, and writes their lines once a second.
actor PolicyLogKeeper {
    private let file: RotatingFile
    private let rules: LogRuleBoard
    private let logger: Logger
    private var log: PolicyLog
    private var problem: String?
    private var lost: UInt64 = 0

    init(_ configuration: PolicyLogConfiguration, node: String, rules: LogRuleBoard, logger: Logger) {
        file = RotatingFile(
            path: configuration.path, bytesMax: configuration.bytesMax, filesMax: configuration.filesMax)
        self.rules = rules
        self.logger = logger
        log = PolicyLog(node: node) { Timestamp.text(nanoseconds: $0) }
    }

    var status: PolicyLogStatus {
        PolicyLogStatus(path: file.path, written: log.written, notWritten: log.notWritten, problem: problem)
    }

    /// Runs until cancelled; writes what is left then.
    func run(_ aggregator: FlowAggregator) async {
        let follower = aggregator.follow { [rules] in rules.isWanted($0) }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { for await flow in follower.flows { await self.take(flow) } }
            group.addTask {
                while (try? await Task.sleep(for: .seconds(1))) != nil { await self.write(follower) }
            }
            await group.waitForAll()
        }
        follower.cancel()
        await write(follower, isLast: true)
    }

    func take(_ flow: Flow) { log.take(flow, by: rules.rules) }

    private func write(_ follower: FlowFollower, isLast: Bool = false) async {
        // A follower that has ended counts no more.
        let now = max(lost, follower.lost)
        log.countLost(now - lost)
        lost = now
        let lines = log.tick(by: rules.rules, at: Int64(Timestamp.nanosecondsNow()), isLast: isLast)
        guard !lines.isEmpty else { return }
        let outcome = await append(lines.map(\.bytes))
        log.note(lines, written: outcome.written)
        note(outcome.problem)
    }

    /// A file system that hangs holds no thread that others need.
    private func append(_ lines: [[UInt8]]) async -> RotatingFile.Outcome {
        let file = self.file
        do {
            return try await DedicatedThread.run(name: "policy-log") { file.append(lines) }
        } catch {
            return RotatingFile.Outcome(written: 0, problem: error as? HostError)
        }
    }

    private func note(_ error: HostError?) {
        let message = error.map { "verdicts are not logged: \($0)" }
        guard message != problem else { return }
        problem = message
        if let message { logger.error("\(message)") } else { logger.notice("verdicts are logged again") }
    }
}
