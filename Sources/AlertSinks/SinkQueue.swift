// SPDX-License-Identifier: Apache-2.0

package import AlertPipeline
package import DetectionModel
import FoundationEssentials

/// One sink with its spool: what it is told waits on disk until it took it, tried again after a growing pause.
///
/// A sink that is away costs one attempt each minute, and nothing that others wait for.
package actor SinkQueue {
    /// How a sink fares.
    package struct Report: Codable, Hashable, Sendable {
        package var name: String
        package var type: String
        /// Path, address, URL or program.
        package var place: String
        package var delivered: Int
        package var pending: Int
        package var refused: Int
        package var lost: Int
        /// Why the last attempt failed; nil: it did not.
        package var problem: String?
    }

    /// What a sink is told of.
    package struct Filter: Hashable, Sendable {
        package var severity = Severity.info
        /// Empty: all.
        package var detectors: Set<String> = []

        package init() {}

        package func includes(_ alert: AlertRecord) -> Bool {
            alert.severity >= severity && (detectors.isEmpty || detectors.contains(alert.detector))
        }
    }

    private let name: String
    private let type: String
    private let place: String
    private let sink: any AlertSink
    private let filter: Filter
    private var spool: NoticeSpool
    /// Nanoseconds of a clock that does not jump.
    private let clock: @Sendable () -> UInt64
    private var isBusy = false
    private var failures = 0
    private var retryAt: UInt64 = 0
    private var refreshedAt: UInt64?
    private var problem: String?

    private static let batch = 64
    private static let pauses: [UInt64] = [1, 2, 4, 8, 15, 30, 60].map { $0 * 1_000_000_000 }

    package init(
        name: String, type: String, place: String, sink: any AlertSink, filter: Filter, spool: NoticeSpool,
        clock: @escaping @Sendable () -> UInt64
    ) {
        self.name = name
        self.type = type
        self.place = place
        self.sink = sink
        self.filter = filter
        self.spool = spool
        self.clock = clock
    }

    /// Takes notices over: when this returns they are on disk.
    package func add(_ records: [AlertNoticeRecord]) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        spool.append(records.filter { filter.includes($0.alert) }.compactMap { try? [UInt8](encoder.encode($0)) })
    }

    /// Delivers what waits, unless it is being done or the pause is not over; then says again what is open, if it is time.
    package func pump(open: @Sendable () async -> [AlertRecord] = { [] }) async {
        guard !isBusy, clock() >= retryAt else { return }
        let isRefreshDue = sink.refreshInterval.map { isOver($0) } ?? false
        guard spool.pending > 0 || isRefreshDue else { return }
        isBusy = true
        defer { isBusy = false }
        while spool.pending > 0 { guard await deliverSome() else { return } }
        guard isRefreshDue else { return }
        let alerts = await open().filter(filter.includes)
        refreshedAt = clock()
        guard !alerts.isEmpty else { return }
        do throws(SinkError) {
            try await sink.refresh(alerts)
            succeed()
        } catch {
            fail(error)
        }
    }

    private func isOver(_ interval: Duration) -> Bool {
        guard let refreshedAt else { return true }
        let (seconds, attoseconds) = interval.components
        return clock() >= refreshedAt + UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    }

    /// False: not now.
    private func deliverSome() async -> Bool {
        let first: Int
        let lines: [[UInt8]]
        do { (first, lines) = try spool.peek(SinkQueue.batch) } catch {
            fail(SinkError("\(error)"))
            return false
        }
        guard let head = lines.first else { return false }
        let notices = lines.prefix { SinkQueue.decode($0) != nil }.compactMap(SinkQueue.decode)
        guard !notices.isEmpty else {
            // Damaged on disk: nobody can be told what it was.
            problem = "a spooled notice of \(head.count) bytes cannot be read"
            spool.markRefused(first)
            return true
        }
        let delivery = await sink.deliver(notices)
        spool.markDelivered(upTo: first + delivery.delivered)
        guard let failure = delivery.failure else {
            succeed()
            return true
        }
        guard failure.isRefusal else {
            fail(failure)
            return false
        }
        problem = failure.description
        spool.markRefused(first + delivery.delivered)
        return true
    }

    private static func decode(_ line: [UInt8]) -> SinkNotice? {
        (try? JSONDecoder().decode(AlertNoticeRecord.self, from: Data(line))).map { SinkNotice(line: line, record: $0) }
    }

    private func succeed() {
        failures = 0
        problem = nil
    }

    private func fail(_ error: SinkError) {
        problem = error.description
        retryAt = clock() + SinkQueue.pauses[min(failures, SinkQueue.pauses.count - 1)]
        failures += 1
    }

    package func report() -> Report {
        Report(
            name: name, type: type, place: place, delivered: spool.counts.delivered, pending: spool.pending,
            refused: spool.counts.refused, lost: spool.counts.lost, problem: problem ?? spool.problem)
    }
}
