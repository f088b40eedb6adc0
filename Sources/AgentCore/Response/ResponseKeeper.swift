// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import DetectionModel
import LinuxHost
import Logging
import NetworkModel
import ResponseActions

/// Carries out what the plan decides, in the order: write down, do, write down how it went.
actor ResponseKeeper {
    /// A finding with what its alert says.
    struct Cause: Sendable {
        var finding: Finding
        var alert: Int
        var severity: Severity
    }

    private let logger: Logger
    private let actuator: any ResponseActuator
    private let rails: @Sendable () async -> GuardRails
    private var clock: AlertClock
    private var plan: ResponsePlan
    private var journal: ChangeJournal<ResponseRecord>
    private var retryAt: [Int: UInt64] = [:]
    private var isBusy = false

    private static let retryTime: UInt64 = 5 * ResponseSettings.second

    /// Goes on with what lies in `directory`; nothing is carried out before `start`.
    init(
        _ settings: ResponseSettings, directory: String, actuator: any ResponseActuator,
        clock: AlertClock = AlertClock(),
        logger: Logger, rails: @escaping @Sendable () async -> GuardRails
    ) throws(HostError) {
        try createDirectory(directory, mode: 0o700)
        self.logger = logger
        self.actuator = actuator
        self.rails = rails
        self.clock = clock
        var journal = ChangeJournal<ResponseRecord>(path: "\(directory)/responses.journal")
        plan = ResponsePlan(settings, continuing: journal.read())
        // A clock that is behind what was written last, as of a machine without a battery, makes nothing longer. The journal
        // itself may hold times of before the clock was set.
        let newest = plan.records.values.map { max($0.since, $0.endedAt ?? 0) }.max() ?? 0
        if newest > clock.now { plan.shift(by: Int64(clamping: clock.now) - Int64(clamping: newest)) }
        if let problem = journal.problem { logger.warning("response: \(problem)") }
        self.journal = journal
    }

    /// Repeats what is to be in force: a reboot may have ended it.
    func start() async {
        let records = plan.toRepeat(now: clock.now)
        for record in records { await carryOut(record) }
        flush()
    }

    var inForce: Int { plan.inForce.count }

    /// What was done since the agent's start.
    var counters: ResponsePlan.Counters { plan.counters }

    /// Listeners that are to be defended.
    var demands: Set<SynDemand> {
        Set(
            plan.inForce.compactMap { record in
                guard case .synDefence(let address, let port) = record.action else { return nil }
                return SynDemand(address: address, port: port)
            })
    }

    func answer(_ causes: [Cause]) async {
        guard !causes.isEmpty else { return }
        let rails = await self.rails()
        var decided: [ResponseRecord] = []
        for cause in causes {
            decided += plan.answer(
                cause.finding, alert: cause.alert, severity: cause.severity, rails: rails, now: clock.now)
        }
        // Before it is done: a kill in between leaves nothing that nobody would take back.
        flush()
        for record in decided { await carryOut(record) }
        flush()
    }

    private func carryOut(_ record: ResponseRecord) async {
        let rest = (record.until - min(record.until, clock.now)).quotientAndRemainder(
            dividingBy: ResponseSettings.second)
        // Whole seconds, and not none.
        let seconds = Int64(clamping: max(1, rest.quotient + (rest.remainder > 0 ? 1 : 0)))
        do throws(ResponseFailure) {
            try await actuator.carryOut(
                record.action, for: .seconds(seconds), cause: ResponseKeeper.cause(record),
                closesFailsafes: plan.settings.rule(for: record.detector).closesFailsafes)
            plan.settle(record.id, failure: nil)
        } catch {
            plan.settle(record.id, failure: error)
        }
    }

    private static func cause(_ record: ResponseRecord) -> String {
        "alert \(record.alert), \(record.detector): \(record.cause)"
    }

    /// Takes back what is over.
    func tick() async {
        if let step = clock.takeStep() { plan.shift(by: step) }
        guard !isBusy else { return }
        isBusy = true
        defer { isBusy = false }
        let now = clock.now
        let due = plan.due(now: now).filter { (retryAt[$0.id] ?? 0) <= now }
        guard !due.isEmpty || plan.isDirty else { return }
        for record in due { await takeBack(record, by: nil) }
        flush()
    }

    private func takeBack(_ record: ResponseRecord, by: String?) async {
        do throws(ResponseFailure) {
            try await actuator.undo(record.action, cause: ResponseKeeper.cause(record))
            plan.finish(record.id, by: by, failure: nil)
            retryAt[record.id] = nil
        } catch {
            plan.finish(record.id, by: by, failure: error)
            retryAt[record.id] = clock.now &+ ResponseKeeper.retryTime
        }
    }

    /// Everything that was noted is on disk, and in the log.
    private func flush() {
        let changes = plan.takeChanges()
        for record in changes {
            logger.notice(
                "response \(record.state.rawValue)",
                metadata: [
                    "response": "\(record.id)", "action": "\(record.action.kind.rawValue)",
                    "subject": "\(record.action.subject)", "alert": "\(record.alert)", "cause": "\(record.cause)",
                    "problem": "\(record.problem ?? "-")", "by": "\(record.by ?? "-")",
                ])
        }
        let before = journal.problem
        journal.append(changes) { plan.records.values.sorted { $0.id < $1.id } }
        if let problem = journal.problem, problem != before { logger.warning("response: \(problem)") }
    }

    // MARK: - What people ask and do

    func report(isWhole: Bool) -> ResponseReport {
        let records = plan.records.values.filter { record in
            isWhole || record.isInForce || (record.state == .wouldAct && record.endedAt == nil)
        }
        return ResponseReport(
            actions: records.sorted { $0.id > $1.id }.map { ResponseActionRecord($0, time: AlertKeeper.text) },
            counters: plan.counters, mode: plan.settings.mode.rawValue, problem: journal.problem)
    }

    func undo(_ request: UndoRequest, by: String) async throws(APIError) -> ResponseReport {
        var records: [ResponseRecord] = []
        for id in Set(request.actions).sorted() {
            guard let record = plan.records[id] else { throw APIError(.notFound, "there is no action \(id)") }
            guard record.isInForce else {
                throw APIError(.refused, "action \(id) is not in force: \(record.state.rawValue)")
            }
            records.append(record)
        }
        if request.all == true { records = plan.inForce }
        guard !records.isEmpty || request.all == true else { throw APIError(.badRequest, "say which actions") }
        for record in records { await takeBack(record, by: by) }
        flush()
        if let failed = records.compactMap({ plan.records[$0.id] }).first(where: \.isInForce) {
            throw APIError(
                .commitFailed, "action \(failed.id): \(failed.problem ?? "not taken back"); it is tried again")
        }
        return report(isWhole: false)
    }
}
