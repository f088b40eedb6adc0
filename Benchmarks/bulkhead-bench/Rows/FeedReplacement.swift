// SPDX-License-Identifier: Apache-2.0

import BPFRuntime
import CDatapathABI
import FeedReading
import Glibc
import KernelDatapath
import KernelPrograms
import NetworkModel
import PrefixTables
import Synchronization

/// A feed of a million prefixes that is replaced by another one while packets are judged by it.
enum FeedReplacement: Benchmark {
    static let name = "feed-replacement"
    static let summary = "a feed of a million prefixes replaced under lookups: none judged by a mixture"

    private static let prefixCount = 1_000_000
    private static let perRun: Int32 = 2000

    static func run(_ effort: Effort) throws -> [Row] {
        try [true, false].map { try replacements(isIPv4: $0, count: effort.isQuick ? 4 : 20) }
    }

    /// Two feeds that share nothing but one address, which the first lists by a net and the second by itself.
    private static func replacements(isIPv4: Bool, count: Int) throws -> Row {
        let host = isIPv4 ? 32 : 128
        let both = isIPv4 ? IPAddress(v4: 0x0b0b_0b81) : IPAddress(high: 0x2e00_0000_0000_0001, low: 0x81)
        let none = isIPv4 ? IPAddress(v4: 0x0b0b_0b41) : IPAddress(high: 0x2e00_0000_0000_0001, low: 0x41)
        let feeds = [CIDR(both, length: host - 4), CIDR(host: both)].enumerated().map { number, own in
            var generator = FeedGenerator(seed: UInt64(47 + number))
            let others = (0..<prefixCount).map { _ in generator.prefix(.blocklist, isIPv4: isIPv4) }
                .filter { !$0.contains(both) && !$0.contains(none) }
            let table = FeedTable(
                [.init(number: 1, prefixes: others + [own])], firstAllowing: UInt8(FEED_ALLOW_FIRST))
            return isIPv4 ? table.ipv4 : table.ipv6
        }
        let field = try Field(isIPv4: isIPv4)
        try field.replace(by: feeds[0])
        let looking = try Looking(field.program, dropped: frame(both), passed: frame(none), perRun: perRun)
        var cost = Samples()
        for round in 0..<count {
            let begin = Clocks.thread
            try field.replace(by: feeds[(round + 1) % 2])
            cost.add(Double(Clocks.thread - begin) / 1e9)
        }
        let runs = try looking.end()
        let (dropped, passed) = try field.counts()
        let family = isIPv4 ? "IPv4" : "IPv6"
        report(
            "  feed-replacement, \(family): \(count) replacements of \(ResultTable.number(cost.median)) s CPU each under "
                + "\(2 * runs) lookups")
        guard runs >= 100 * UInt64(count) else { throw BenchError("too few lookups under a replacement") }
        let wrong = [(dropped, runs), (passed, runs)].map { $0 > $1 ? $0 - $1 : $1 - $0 }.max() ?? 0
        return Row(
            "judged by a mixture while 1 M \(family) are replaced", unit: "lookups", ours: Double(wrong), bound: 0)
    }

    private static func frame(_ source: IPAddress) -> [UInt8] {
        let ethernet = [UInt8](repeating: 2, count: 12),
            datagram =
                PacketBytes.big(4000) + PacketBytes.big(4001) + PacketBytes.big(40) + [UInt8](repeating: 0, count: 34)
        let bytes = PacketBytes.mapped(source)
        guard source.isIPv4 else {
            return ethernet + [0x86, 0xdd]
                + PacketBytes.ipv6Header(
                    source: bytes, destination: [0x20, 1, 0x0d, 0xb9] + [UInt8](repeating: 1, count: 12),
                    nextHeader: 17, payloadLength: datagram.count) + datagram
        }
        return ethernet + [8, 0]
            + PacketBytes.ipv4Header(
                source: Array(bytes.suffix(4)), destination: [10, 1, 1, 1], protocolNumber: 17,
                payloadLength: datagram.count) + datagram
    }

    /// The prefilter with tables of its own, enforcing nothing but feeds.
    private final class Field {
        let program: XDPProgram
        private var tables: ShieldTables
        private let isIPv4: Bool

        init(isIPv4: Bool) throws {
            let object = try BPFObject(.prefilter)
            try object.load()
            program = XDPProgram(try object.program("xdp_prefilter"))
            tables = try ShieldTables(object)
            self.isIPv4 = isIPv4
            var settings = ShieldSettings()
            settings.mode = .enforce
            settings.checksHeaders = false
            settings.checksSources = false
            settings.failsafePorts = []
            try tables.configure(settings, hasReflectorFilter: false)
        }

        func replace(by prefixes: [RangePrefix]) throws {
            var prefixes = prefixes
            try tables.replaceFeeds(isIPv4: isIPv4, &prefixes)
        }

        /// What was dropped for its source, and what passed.
        func counts() throws -> (dropped: UInt64, passed: UInt64) {
            (
                try tables.count(Int(PREFILTER_DROPPED) + Int(DROP_SHIELD_FEED)).packets,
                try tables.count(Int(PREFILTER_PASSED)).packets
            )
        }
    }

    private final class XDPProgram: Sendable {
        let program: BPFProgram

        init(_ program: consuming BPFProgram) { self.program = program }
    }

    /// A thread that has two frames judged, as many of each, until it is told to end.
    private final class Looking {
        private let isOver = Atomic(false)
        private let runs = Atomic<UInt64>(0)
        private let failure = Mutex<String?>(nil)
        private var thread = pthread_t()

        init(_ program: XDPProgram, dropped: [UInt8], passed: [UInt8], perRun: Int32) throws {
            thread = try BenchThread.start { [unowned self] in
                do {
                    while !isOver.load(ordering: .relaxed) {
                        for frame in [dropped, passed] {
                            _ = try program.program.testRunFrame(frame, repeatCount: perRun)
                        }
                        runs.add(UInt64(perRun), ordering: .relaxed)
                    }
                } catch {
                    failure.withLock { $0 = "\(error)" }
                }
            }
        }

        /// How often each frame was judged.
        func end() throws -> UInt64 {
            isOver.store(true, ordering: .relaxed)
            pthread_join(thread, nil)
            if let failure = failure.withLock({ $0 }) { throw BenchError(failure) }
            return runs.load(ordering: .relaxed)
        }
    }
}
