// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1

/// A running watch: reads the history of its resource as fast as its connection takes it.
///
/// `@unchecked Sendable`: everything but the functions marked so happens on the channel's event loop.
final class WatchStream: @unchecked Sendable {
    private static let batchSize = 64

    private let plan: WatchPlan
    private let server: ServerContext
    private let channel: any Channel
    private let onEnd: () -> Void
    private var number = 0
    private var place: Int
    private var nextInitial = 0
    private var hasMarkedInitialEnd: Bool
    /// The version up to which this watch has told everything.
    private var version: Int
    private var isOver = false
    private var timeout: Scheduled<Void>?
    private var bookmark: RepeatedTask?
    private var coalescing: Scheduled<Void>?

    init(_ plan: WatchPlan, server: ServerContext, channel: any Channel, onEnd: @escaping () -> Void) {
        self.plan = plan
        self.server = server
        self.channel = channel
        self.onEnd = onEnd
        place = plan.place
        version = plan.version
        hasMarkedInitialEnd = !plan.marksInitialEnd
    }

    var resource: ResourceName { plan.resource }

    func start() {
        server.counters.watch(plan.resource, opened: true)
        for line in plan.firstLines { write(Array("\(line)\n".utf8)) }
        if let error = plan.error { return end(with: Renderer.error(error.status)) }
        number = server.store.withState { state in
            let number = state.makeNumber()
            state.watches[number] = (plan.resource, { [weak self] in self?.wake() })
            return number
        }
        server.register(self, number: number)
        let seconds = min(plan.timeoutSeconds, 1e6)
        timeout = channel.eventLoop.scheduleTask(in: .milliseconds(Int64(seconds * 1000))) { [weak self] in
            self?.endAtTimeout()
        }
        if plan.wantsBookmarks {
            let interval = TimeAmount.milliseconds(server.options.bookmarkMilliseconds)
            bookmark = channel.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) {
                [weak self] _ in self?.writeBookmark()
            }
        }
        pump()
    }

    /// Looks for changes soon.
    ///
    /// From any thread.
    func wake() { channel.eventLoop.execute { self.pump() } }

    /// Ends the watch, after a last line if one is given.
    ///
    /// From any thread.
    func finish(with line: [UInt8]? = nil) { channel.eventLoop.execute { self.end(with: line) } }

    /// Writes bytes into the stream as they are.
    ///
    /// From any thread.
    func inject(_ bytes: [UInt8]) { channel.eventLoop.execute { self.write(bytes) } }

    /// The connection is gone.
    func cancel() { close() }

    func pump() {
        let faults = server.faults.lasting(plan.resource.plural)
        while !isOver, channel.isWritable, !faults.isSilent {
            if nextInitial < plan.initial.count {
                writeInitial()
            } else if !hasMarkedInitialEnd {
                hasMarkedInitialEnd = true
                write(plan.renderer.bookmark(version, endsInitialEvents: true))
            } else if faults.holdsChanges {
                return
            } else if let milliseconds = faults.coalescingMilliseconds {
                return coalesce(milliseconds)
            } else if !writeChanges(lag: faults.lag) {
                return
            }
        }
    }

    private func writeInitial() {
        let batch = plan.initial[nextInitial...].prefix(Self.batchSize)
        nextInitial += batch.count
        write(batch.reduce(into: []) { $0 += plan.renderer.event(.added, $1) })
    }

    /// Writes the next changes; answers whether there may be more.
    private func writeChanges(lag: Int = 0, count: Int = WatchStream.batchSize, isCoalescing: Bool = false) -> Bool {
        let (exists, all, current) = server.store.withState { state in
            let history = state.resources[plan.resource]?.history
            return (history != nil, history?.changes(from: place, count: count), state.version - lag)
        }
        guard exists else {
            end()
            return false
        }
        guard let all else {
            end(with: Renderer.error(APIError.expired("too old resource version: \(version)").status))
            return false
        }
        let changes = all.prefix { $0.version <= current }
        guard let last = changes.last else {
            version = max(version, current)
            return false
        }
        place += changes.count
        version = max(version, last.version)
        var lines: [UInt8] = []
        for change in isCoalescing ? Change.coalesced(changes) : Array(changes) {
            guard let (kind, object) = plan.filter.seen(change) else { continue }
            lines += plan.renderer.event(kind, object)
        }
        if !lines.isEmpty { write(lines) }
        return true
    }

    private func coalesce(_ milliseconds: Int64) {
        guard coalescing == nil else { return }
        coalescing = channel.eventLoop.scheduleTask(in: .milliseconds(milliseconds)) { [weak self] in
            guard let self, !isOver else { return }
            coalescing = nil
            _ = writeChanges(count: .max, isCoalescing: true)
        }
    }

    private func writeBookmark() {
        guard !isOver, !server.faults.lasting(plan.resource.plural).isSilent else { return }
        pump()
        guard !isOver, nextInitial >= plan.initial.count, hasMarkedInitialEnd, channel.isWritable else { return }
        write(plan.renderer.bookmark(version, endsInitialEvents: false))
    }

    private func endAtTimeout() {
        if plan.wantsBookmarks { writeBookmark() }
        end()
    }

    private func write(_ bytes: [UInt8]) {
        guard !isOver else { return }
        for piece in bytes.pieces(of: server.faults.lasting(plan.resource.plural).pieceBytes) {
            channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(bytes: piece))), promise: nil)
        }
    }

    private func end(with line: [UInt8]? = nil) {
        guard !isOver else { return }
        if let line { write(line) }
        close()
        onEnd()
    }

    private func close() {
        guard !isOver else { return }
        isOver = true
        timeout?.cancel()
        coalescing?.cancel()
        bookmark?.cancel()
        server.counters.watch(plan.resource, opened: false)
        server.unregister(number)
        server.store.withState { _ = $0.watches.removeValue(forKey: number) }
    }
}
