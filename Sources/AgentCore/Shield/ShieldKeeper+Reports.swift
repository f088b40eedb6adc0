// SPDX-License-Identifier: Apache-2.0

import CDatapathABI
import ControlAPI
import EventModel
import FeedReading
import FlowAggregation
import KernelDatapath

extension ShieldKeeper {
    /// What flow events call the feeds.
    nonisolated static func feedNames(_ configuration: ShieldConfiguration) -> [RuleName] {
        let entries = ShieldFeeds(configuration).entries.map { (Int($0.number), $0.feed.name) }
        return (entries + [(Int(ShieldFeeds.allowListNumber), ShieldConfiguration.allowListName)]).map { number, name in
            RuleName(slot: FlowEvent.firstFeedRule + UInt32(number), text: "feed \(name)", source: nil)
        }
    }

    func report() throws(APIError) -> ShieldReport {
        do {
            return try makeReport()
        } catch {
            throw APIError(.unavailable, "cannot read the shield's tables: \(error)")
        }
    }

    /// What is told to those who scrape: no list of blocks.
    func facts() throws -> ShieldFacts {
        var facts = ShieldFacts()
        let outcomes = [
            ("passed", PREFILTER_PASSED), ("not_ip", PREFILTER_NOT_IP), ("allowed", PREFILTER_ALLOWED),
            ("failsafe", PREFILTER_FAILSAFE),
        ]
        for (name, index) in outcomes { facts.packets.append((name, try shield.tables.count(Int(index)).packets)) }
        facts.drops = try drops()
        facts.lostEvents = try shield.tables.count(Int(PREFILTER_EVENTS_LOST)).packets
        facts.blocks = try shield.tables.blocks().count
        facts.blockCapacity = configuration.settings.blockCapacity
        facts.refusedBlocks = refusedBlocks
        facts.feeds = try feedReports().map {
            ShieldFacts.Feed(name: $0.name, prefixes: $0.prefixes, packets: $0.packets, isBroken: $0.problem != nil)
        }
        return facts
    }

    private func drops() throws -> [ShieldDrop] {
        var drops: [ShieldDrop] = []
        for (base, wouldDrop) in [(Int(PREFILTER_DROPPED), false), (Int(PREFILTER_WOULD_DROP), true)] {
            for reason in DropReason.allCases {
                let count = try shield.tables.count(base + Int(reason.rawValue))
                guard count.packets > 0 else { continue }
                drops.append(
                    ShieldDrop(reason: reason.name, packets: count.packets, bytes: count.bytes, wouldDrop: wouldDrop))
            }
        }
        return drops
    }

    private func makeReport() throws -> ShieldReport {
        var report = ShieldReport(mode: configuration.settings.mode.rawValue)
        report.devices = devices.values.sorted { $0.name < $1.name }
        report.passed = try shield.tables.count(Int(PREFILTER_PASSED)).packets
        report.notIP = try shield.tables.count(Int(PREFILTER_NOT_IP)).packets
        report.allowed = try shield.tables.count(Int(PREFILTER_ALLOWED)).packets
        report.failsafe = try shield.tables.count(Int(PREFILTER_FAILSAFE)).packets
        report.questions = try shield.tables.count(Int(PREFILTER_QUESTIONS)).packets
        report.answers = try shield.tables.count(Int(PREFILTER_ANSWERS)).packets
        report.drops = try drops()
        for (index, scope) in ShieldLimit.Scope.allCases.enumerated() {
            report.limited[scope.rawValue] = try shield.tables.count(Int(PREFILTER_LIMITED) + index).packets
            report.unlimited[scope.rawValue] = try shield.tables.count(Int(PREFILTER_UNLIMITED) + index).packets
        }
        report.feeds = try feedReports()
        report.blocks = try shield.tables.blocks().map { block in
            ShieldBlockReport(
                prefix: "\(block.prefix)", secondsLeft: block.remaining.components.seconds,
                packets: block.count.packets, bytes: block.count.bytes, age: block.age.components.seconds,
                cause: block.cause)
        }
        report.events = try shield.tables.count(Int(PREFILTER_EVENTS)).packets
        report.lostEvents = try shield.tables.count(Int(PREFILTER_EVENTS_LOST)).packets
        report.blockCapacity = configuration.settings.blockCapacity
        report.refusedBlocks = refusedBlocks
        report.feedBytes = feedBytes.values.reduce(0, +)
        report.problems = problems.sorted { $0.key < $1.key }.map(\.value)
        return report
    }

    private func feedReports() throws -> [ShieldFeedReport] {
        var reports: [ShieldFeedReport] = []
        if !configuration.allowed.isEmpty {
            let hits = try shield.tables.hits(ofFeed: ShieldFeeds.allowListNumber)
            reports.append(
                ShieldFeedReport(
                    name: ShieldConfiguration.allowListName, action: FeedAction.allow.rawValue, path: "shield.allow",
                    prefixes: configuration.allowed.count, packets: hits.packets, bytes: hits.bytes))
        }
        for entry in feeds.entries {
            let hits = try shield.tables.hits(ofFeed: entry.number)
            reports.append(
                ShieldFeedReport(
                    name: entry.feed.name, action: entry.feed.action.rawValue, path: entry.feed.path,
                    prefixes: entry.prefixes.count, packets: hits.packets, bytes: hits.bytes, loadedAt: entry.loadedAt,
                    isRemembered: entry.isRemembered ? true : nil, faults: entry.faultCount,
                    firstFaults: entry.firstFaults, problem: entry.problem,
                    spared: entry.spared.isEmpty ? nil : entry.spared.map { "\($0)" }))
        }
        return reports
    }
}
