// SPDX-License-Identifier: Apache-2.0

import AlertPipeline
import AlertSinks
import ControlAPI
import DetectionModel
import Detectors
import LinuxHost
import Logging
import NetworkModel

/// Takes findings, keeps alerts, tells the sinks, and asks for responses.
///
/// An actor of its own: neither policies nor detectors wait for its disk.
actor AlertKeeper {
    /// Names of the workloads that have these addresses.
    typealias Names = @Sendable (Set<IPAddress>) async -> [IPAddress: String]

    private let logger: Logger
    private let host: String
    private var clock: AlertClock
    private var pipeline: AlertPipeline
    private var journal: ChangeJournal<AlertChange>
    private var flushedAt: UInt64 = 0
    private let queues: [SinkQueue]
    private let names: Names
    private let responses: ResponseKeeper?
    private var watchers: [Int: AsyncStream<[UInt8]>.Continuation] = [:]
    private var nextWatcher = 0
    private var lostByWatchers: UInt64 = 0
    /// Sinks whose spool could not be opened.
    private var brokenSinks: [SinkStatus] = []

    /// Counts of open alerts are written down so often; new alerts at once.
    private static let flushTime: UInt64 = 5 * AlertSettings.second
    private static let watcherMax = 64

    /// Goes on with what lies in `directory`.
    init(
        _ configuration: AlertsConfiguration, directory: String, host: String, responses: ResponseKeeper? = nil,
        clock: AlertClock = AlertClock(), logger: Logger, names: @escaping Names = { _ in [:] }
    ) throws(HostError) {
        try createDirectory(directory, mode: 0o700)
        self.logger = logger
        self.host = host
        self.clock = clock
        self.names = names
        self.responses = responses
        var journal = ChangeJournal<AlertChange>(path: "\(directory)/alerts.journal")
        pipeline = AlertPipeline(configuration.settings, continuing: journal.read())
        // A clock that is behind what was written last, as of a machine without a battery, keeps no alert open for longer.
        let newest = pipeline.alerts.values.map(\.lastSeen).max() ?? 0
        if newest > clock.now { pipeline.shift(by: Int64(clamping: clock.now) - Int64(clamping: newest)) }
        if let problem = journal.problem { logger.warning("alerts: \(problem)") }
        self.journal = journal
        for mute in configuration.mutes { _ = pipeline.add(mute, now: clock.now) }
        var queues: [SinkQueue] = []
        for sink in configuration.sinks {
            guard let made = sink.make(host: host) else { continue }
            do throws(HostError) {
                let spool = try NoticeSpool(directory: "\(directory)/sinks/\(sink.name)", bytesMax: sink.spoolBytes)
                queues.append(
                    SinkQueue(
                        name: sink.name, type: sink.kind.rawValue, place: sink.place, sink: made, filter: sink.filter,
                        spool: spool, clock: clock.monotonic))
            } catch {
                brokenSinks.append(
                    SinkStatus(name: sink.name, type: sink.kind.rawValue, place: sink.place, problem: "\(error)"))
            }
        }
        self.queues = queues
    }

    // MARK: - Findings

    /// Takes findings in, whose times are CLOCK_MONOTONIC's.
    func consume(_ findings: [Finding]) async {
        guard !findings.isEmpty else { return }
        let addresses = Set(findings.flatMap { [$0.source, $0.target].compactMap(\.self) })
        let names = await self.names(addresses)
        let timed = findings.map { finding in
            var finding = finding
            finding.time = clock.time(finding.time)
            finding.since = clock.time(finding.since)
            return finding
        }
        let ids = pipeline.consume(timed, now: clock.now) { names[$0] }
        let alerts = ids.map { pipeline.alerts[$0] }
        await announce()
        guard let responses else { return }
        // What is muted is known and wanted: nothing is done about it.
        await responses.answer(
            zip(timed, alerts).compactMap { finding, alert in
                guard let alert, alert.mute == nil else { return nil }
                return ResponseKeeper.Cause(finding: finding, alert: alert.id, severity: alert.severity)
            })
    }

    /// The periodic work, once a second.
    func tick() async {
        if let step = clock.takeStep() { pipeline.shift(by: step) }
        pipeline.tick(now: clock.now)
        await announce()
        if clock.now >= flushedAt &+ AlertKeeper.flushTime { flush() }
        await responses?.tick()
        pump()
    }

    /// What is new is on disk before anybody is told, and in the spools before it counts as told.
    private func announce() async {
        guard !pipeline.isSilent else { return }
        flush()
        await tell(pipeline.announce(now: clock.now))
    }

    private func tell(_ notices: [AlertNotice]) async {
        guard !notices.isEmpty else { return }
        let records = notices.map { AlertNoticeRecord($0, host: host, time: AlertKeeper.text) }
        for record in records {
            logger.notice(
                "alert \(record.kind.rawValue)",
                metadata: [
                    "alert": "\(record.alert.id)", "severity": "\(record.alert.severity)",
                    "detector": "\(record.alert.detector)", "source": "\(record.alert.source ?? "-")",
                    "target": "\(record.alert.target ?? "-")",
                ])
        }
        for queue in queues { await queue.add(records) }
        flush()
        watch(records)
        pump()
    }

    private func pump() {
        for queue in queues { Task { await queue.pump { await self.openRecords() } } }
    }

    private func openRecords() -> [AlertRecord] {
        pipeline.alerts.values.filter { $0.state != .closed && $0.mute == nil }.sorted { $0.id < $1.id }.map(record)
    }

    private func flush() {
        flushedAt = clock.now
        let before = journal.problem
        journal.append(pipeline.takeChanges()) { pipeline.wholeJournal() }
        if let problem = journal.problem, problem != before { logger.warning("alerts: \(problem)") }
    }

    private func record(_ alert: Alert) -> AlertRecord { AlertRecord(alert, time: AlertKeeper.text) }

    static func text(_ time: UInt64) -> String { Timestamp.text(nanoseconds: Int64(clamping: time)) }

    // MARK: - Watching

    /// Each notice from now on, as a line.
    func watch() throws(APIError) -> AsyncStream<[UInt8]> {
        guard watchers.count < AlertKeeper.watcherMax else {
            throw APIError(.unavailable, "\(AlertKeeper.watcherMax) readers watch already")
        }
        let (stream, continuation) = AsyncStream<[UInt8]>.makeStream(bufferingPolicy: .bufferingNewest(1024))
        let id = nextWatcher
        nextWatcher += 1
        watchers[id] = continuation
        continuation.onTermination = { _ in Task { await self.forgetWatcher(id) } }
        return stream
    }

    private func forgetWatcher(_ id: Int) { watchers[id] = nil }

    private func watch(_ records: [AlertNoticeRecord]) {
        for record in records {
            guard let line = try? APICoding.encode(record) + [UInt8(ascii: "\n")] else { continue }
            for watcher in watchers.values { if case .dropped = watcher.yield(line) { lostByWatchers += 1 } }
        }
    }

    func endWatchers() {
        for watcher in watchers.values { watcher.finish() }
        flush()
    }

    // MARK: - What people ask and do

    func list(_ query: AlertQuery) -> AlertList {
        let states = query.states.isEmpty ? [.open, .acknowledged] : query.states
        let meant = pipeline.alerts.values.filter { alert in
            states.contains(alert.state) && alert.severity >= query.severity ?? .info
                && (query.detector == nil || query.detector == alert.detector)
                && (query.incident == nil || query.incident == alert.incident)
        }
        return AlertList(
            alerts: meant.sorted { $0.id > $1.id }.prefix(query.limit).map(record), total: meant.count)
    }

    func alert(_ id: Int) throws(APIError) -> AlertRecord {
        guard let alert = pipeline.alerts[id] else { throw APIError(.notFound, "there is no alert \(id)") }
        return record(alert)
    }

    func incidents() -> [IncidentRecord] {
        pipeline.incidents.values.sorted { $0.id > $1.id }.map { IncidentRecord($0, time: AlertKeeper.text) }
    }

    func acknowledge(_ request: AlertChangeRequest, by: String) async throws(APIError) -> AlertList {
        var notices: [AlertNotice] = []
        let ids = try meant(request)
        for id in ids {
            notices += pipeline.acknowledge(id, by: by, comment: request.comment, now: clock.now) ?? []
        }
        flush()
        await tell(notices)
        return list(of: ids)
    }

    func close(_ request: AlertChangeRequest, by: String) async throws(APIError) -> AlertList {
        let ids = try meant(request)
        for id in ids { _ = pipeline.close(id, by: by, comment: request.comment, now: clock.now) }
        flush()
        await announce()
        return list(of: ids)
    }

    /// All or none are there.
    private func meant(_ request: AlertChangeRequest) throws(APIError) -> [Int] {
        var ids = Set(request.alerts)
        if let id = ids.sorted().first(where: { pipeline.alerts[$0] == nil }) {
            throw APIError(.notFound, "there is no alert \(id)")
        }
        if let incident = request.incident {
            let members = pipeline.alerts.values.filter { $0.incident == incident && $0.state != .closed }.map(\.id)
            guard pipeline.incidents[incident] != nil else {
                throw APIError(.notFound, "there is no incident \(incident)")
            }
            ids.formUnion(members)
        }
        guard !ids.isEmpty else { throw APIError(.badRequest, "say which alerts") }
        return ids.sorted()
    }

    private func list(of ids: [Int]) -> AlertList {
        AlertList(alerts: ids.compactMap { pipeline.alerts[$0] }.map(record), total: ids.count)
    }

    func mutes() -> [MuteRecord] {
        pipeline.mutes.values.sorted { $0.id < $1.id }.map { MuteRecord($0, time: AlertKeeper.text) }
    }

    func mute(_ request: MuteRequest, by: String) async throws(APIError) -> MuteRecord {
        if let detector = request.detector, let fault = DetectorConfiguration(off: [detector]).faults.first {
            throw APIError(.badRequest, fault)
        }
        var mute = AlertMute(detector: request.detector, by: by, comment: request.comment)
        mute.source = try prefix(request.source)
        mute.target = try prefix(request.target)
        guard mute.isNarrow else {
            throw APIError(
                .badRequest, "say what is muted: a detector, a source or a target; a mute of everything is none")
        }
        if let seconds = request.seconds {
            guard MuteRequest.secondsRange.contains(seconds) else {
                throw APIError(.badRequest, "a mute lasts a second to ten years")
            }
            mute.until = clock.now &+ UInt64(seconds) * AlertSettings.second
        }
        guard let added = pipeline.add(mute, now: clock.now) else {
            throw APIError(.refused, "there are \(pipeline.settings.muteCapacity) mutes already: lift some")
        }
        flush()
        await announce()
        logger.notice("alerts: muted", metadata: ["mute": "\(added.id)", "by": "\(by)"])
        return MuteRecord(added, time: AlertKeeper.text)
    }

    private func prefix(_ text: String?) throws(APIError) -> CIDR? {
        guard let text else { return nil }
        guard let prefix = CIDR(text) ?? IPAddress(text).map(CIDR.init(host:)) else {
            throw APIError(.badRequest, "\"\(text)\" is not an address or a prefix")
        }
        return prefix
    }

    func unmute(_ id: Int) async throws(APIError) -> [MuteRecord] {
        guard let mute = pipeline.mutes[id] else { throw APIError(.notFound, "there is no mute \(id)") }
        guard !mute.isConfigured else {
            throw APIError(.refused, "mute \(id) stands in the agent's configuration: remove it there")
        }
        pipeline.removeMute(id)
        flush()
        await announce()
        return mutes()
    }

    func status() async -> AlertStatus {
        var status = AlertStatus()
        for alert in pipeline.alerts.values {
            switch alert.state {
            case .open: status.open += 1
            case .acknowledged: status.acknowledged += 1
            case .closed: continue
            }
            if alert.mute != nil { status.muted += 1 }
        }
        status.mutes = pipeline.mutes.count
        status.waiting = pipeline.waiting
        status.counters = pipeline.counters
        status.lostByWatchers = lostByWatchers
        status.problem = journal.problem
        status.sinks = brokenSinks
        for queue in queues {
            let report = await queue.report()
            status.sinks.append(
                SinkStatus(
                    name: report.name, type: report.type, place: report.place, delivered: report.delivered,
                    pending: report.pending, refused: report.refused, lost: report.lost, problem: report.problem))
        }
        if let responses { status.responses = await responses.inForce }
        return status
    }
}
