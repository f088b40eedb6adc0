// SPDX-License-Identifier: Apache-2.0

import AlertPipeline
import DetectionModel
import Glibc
import LinuxHost
import Synchronization
import Testing

@testable import AlertSinks

/// A sink that does what the test says, and a clock that the test turns.
final class ScriptedSink: AlertSink {
    private struct State {
        var seen: [Int] = []
        var refreshed: [[Int]] = []
        var attempts = 0
        var now: UInt64 = 0
        var isAway = false
        var refused: Set<Int> = []
    }

    private let state = Mutex(State())
    let interval: Duration?

    init(interval: Duration? = nil) { self.interval = interval }

    var refreshInterval: Duration? { interval }
    var seen: [Int] { state.withLock { $0.seen } }
    var refreshed: [[Int]] { state.withLock { $0.refreshed } }
    var attempts: Int { state.withLock { $0.attempts } }
    var now: UInt64 { state.withLock { $0.now } }

    func pass(_ seconds: UInt64) { state.withLock { $0.now += seconds * 1_000_000_000 } }
    func setAway(_ isAway: Bool) { state.withLock { $0.isAway = isAway } }
    func refuse(_ number: Int) { state.withLock { _ = $0.refused.insert(number) } }

    func deliver(_ notices: [SinkNotice]) async -> SinkDelivery {
        state.withLock { state in
            state.attempts += 1
            for (index, notice) in notices.enumerated() {
                if state.isAway { return SinkDelivery(delivered: index, failure: SinkError("away")) }
                if state.refused.contains(notice.record.number) {
                    return SinkDelivery(delivered: index, failure: SinkError("no", isRefusal: true))
                }
                state.seen.append(notice.record.number)
            }
            return SinkDelivery(delivered: notices.count)
        }
    }

    func refresh(_ open: [AlertRecord]) async throws(SinkError) {
        state.withLock { $0.refreshed.append(open.map(\.id)) }
    }
}

@Suite struct SinkQueueTests {
    private let directory = scratchPath()

    private func queue(_ sink: ScriptedSink, bytes: Int = 1 << 20) throws -> SinkQueue {
        SinkQueue(
            name: "s", type: "scripted", place: "here", sink: sink, filter: SinkQueue.Filter(),
            spool: try NoticeSpool(directory: directory, bytesMax: bytes), clock: { sink.now })
    }

    private func remove() { _ = unsafe system("rm -rf \(directory)") }

    @Test func `what is added is delivered in order, and nothing stays on disk`() async throws {
        defer { remove() }
        let sink = ScriptedSink()
        let queue = try queue(sink)
        await queue.add(try notices(200).map(\.record))
        await queue.pump()
        #expect(sink.seen == Array(1...200))
        let report = await queue.report()
        #expect(report.delivered == 200 && report.pending == 0 && report.lost == 0 && report.problem == nil)
        #expect(try directoryEntries(directory) == ["cursor"])
    }

    @Test func `a sink that is away is asked seldom, and told everything when it is back`() async throws {
        defer { remove() }
        let sink = ScriptedSink()
        sink.setAway(true)
        let queue = try queue(sink)
        await queue.add(try notices(10).map(\.record))
        for _ in 0..<600 {
            await queue.pump()
            sink.pass(1)
        }
        #expect((10...20).contains(sink.attempts), "1 + 2 + 4 + 8 + 15 + 30 + 60 … seconds")
        #expect(await queue.report().problem == "away")
        sink.setAway(false)
        sink.pass(60)
        await queue.pump()
        #expect(sink.seen == Array(1...10))
        #expect(await queue.report().problem == nil)
    }

    @Test func `what a receiver refuses is passed over and counted`() async throws {
        defer { remove() }
        let sink = ScriptedSink()
        sink.refuse(3)
        let queue = try queue(sink)
        await queue.add(try notices(5).map(\.record))
        await queue.pump()
        #expect(sink.seen == [1, 2, 4, 5])
        let report = await queue.report()
        #expect(report.refused == 1 && report.delivered == 4 && report.pending == 0)
    }

    @Test func `what waits outlives the agent`() async throws {
        defer { remove() }
        let sink = ScriptedSink()
        let first = try queue(sink)
        await first.add(try notices(3).map(\.record))
        await first.pump()
        sink.setAway(true)
        await first.add(try notices(5).map(\.record))
        await first.pump()
        sink.setAway(false)
        let second = try queue(sink)
        #expect(await second.report().pending == 5)
        await second.pump()
        #expect(sink.seen == [1, 2, 3, 1, 2, 3, 4, 5])
        #expect(await second.report().delivered == 8)
    }

    @Test func `the spool is bounded: the oldest go, and are counted`() async throws {
        defer { remove() }
        let sink = ScriptedSink()
        sink.setAway(true)
        let queue = try queue(sink, bytes: 16_384)
        for number in 0..<500 { await queue.add([try notices(1 + number % 2)[number % 2].record]) }
        let report = await queue.report()
        #expect(report.lost > 0 && report.pending + report.lost == 500)
        let bytes = try directoryEntries(directory).reduce(0) { try $0 + readFile("\(directory)/\($1)").count }
        #expect(bytes < 20_000)
        sink.setAway(false)
        await queue.pump()
        #expect(sink.seen.count == report.pending)
        let after = try self.queue(sink)
        #expect(await after.report().lost == report.lost, "also after a restart")
    }

    @Test func `a segment that somebody took away is lost and counted, and those behind it are delivered`() async throws
    {
        defer { remove() }
        let sink = ScriptedSink()
        sink.setAway(true)
        await (try queue(sink, bytes: 32_768)).add(try notices(30).map(\.record))
        let segments = try directoryEntries(directory).compactMap { Int($0) }.sorted()
        try #require(segments.count >= 3 && segments[0] == 0, "\(segments)")
        let lost = segments[2] - segments[1]
        unsafe unlink("\(directory)/\(segments[1])")
        sink.setAway(false)
        let queue = try queue(sink, bytes: 32_768)
        await queue.pump()
        #expect(sink.seen == Array(1...segments[1]) + Array((segments[2] + 1)...30))
        let report = await queue.report()
        #expect(report.lost == lost && report.pending == 0 && report.problem == nil, "\(report)")
    }

    @Test(arguments: ["{\"next\":-7}", "{\"next\":9223372036854775807,\"delivered\":1,\"refused\":0,\"lost\":0}", "["])
    func `a damaged cursor ends nothing`(text: String) async throws {
        defer { remove() }
        let sink = ScriptedSink()
        sink.setAway(true)
        await (try queue(sink)).add(try notices(2).map(\.record))
        try AtomicFile.write(Array(text.utf8), to: "\(directory)/cursor")
        try AtomicFile.write([], to: "\(directory)/-3")
        sink.setAway(false)
        let queue = try queue(sink)
        await queue.add(try notices(3).map(\.record))
        await queue.pump()
        #expect(sink.seen == [1, 2, 1, 2, 3])
    }

    @Test func `a torn or damaged spool costs its line and no more`() async throws {
        defer { remove() }
        let sink = ScriptedSink()
        sink.setAway(true)
        await (try queue(sink)).add(try notices(2).map(\.record))
        var bytes = try readFile("\(directory)/0")
        bytes.insert(contentsOf: Array("{\"damaged\n".utf8), at: 0)
        bytes += Array("{\"torn".utf8)
        try AtomicFile.write(bytes, to: "\(directory)/0")
        sink.setAway(false)
        let queue = try queue(sink)
        await queue.add(try notices(1).map(\.record))
        await queue.pump()
        #expect(sink.seen == [1, 2, 1])
        #expect(await queue.report().refused == 1)
    }

    @Test func `without a disk notices wait in memory, so many at most`() async throws {
        defer { remove() }
        let sink = ScriptedSink()
        sink.setAway(true)
        let queue = try queue(sink)
        _ = unsafe system("rm -rf \(directory) && touch \(directory)")
        let all = try notices(1500).map(\.record)
        await queue.add(all)
        var report = await queue.report()
        #expect(report.pending == 1000 && report.lost == 500 && report.problem != nil)
        sink.setAway(false)
        await queue.pump()
        #expect(sink.seen == Array(501...1500))
        report = await queue.report()
        #expect(report.pending == 0 && report.delivered == 1000)
    }

    @Test func `what is open is said again each interval`() async throws {
        defer { remove() }
        let sink = ScriptedSink(interval: .seconds(60))
        let queue = try queue(sink)
        let open = try notices(1).map(\.record.alert)
        for _ in 0..<121 {
            await queue.pump { open }
            sink.pass(1)
        }
        #expect(sink.refreshed == [[1], [1], [1]])
    }

    @Test func `a sink is told of what its filter lets through`() async throws {
        defer { remove() }
        var filter = SinkQueue.Filter()
        filter.severity = .critical
        let sink = ScriptedSink()
        let queue = SinkQueue(
            name: "s", type: "t", place: "p", sink: sink, filter: filter,
            spool: try NoticeSpool(directory: directory, bytesMax: 1 << 20), clock: { 0 })
        await queue.add(try notices(1, severity: .high).map(\.record) + notices(1, severity: .critical).map(\.record))
        await queue.pump()
        #expect(sink.seen.count == 1)
        filter.detectors = ["syn-flood"]
        #expect(!filter.includes(try notices(1, severity: .critical)[0].record.alert))
    }
}
