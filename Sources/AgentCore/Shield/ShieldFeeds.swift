// SPDX-License-Identifier: Apache-2.0

import CDatapathABI
import FeedReading
import KernelDatapath
import NetworkModel

/// The feeds with what is in force of each.
///
/// Pure but for the reading of files.
struct ShieldFeeds {
    struct Entry {
        let feed: ShieldConfiguration.Feed
        /// Its class in the kernel.
        let number: UInt8
        var stamp: FeedFiles.Stamp?
        /// In force; sorted, without repetitions.
        var prefixes: [CIDR] = []
        /// Whom it names and does not cut off, for the host needs them.
        var spared: [IPAddress] = []
        /// They were kept from before the start, and the file has not confirmed them.
        var isRemembered = false
        /// The next text counts however much it shrank.
        var acceptsShrinking = false
        var faultCount = 0
        var firstFaults: [String] = []
        var problem: String?
        var loadedAt: String?
    }

    private(set) var entries: [Entry] = []
    /// The first allowing class is the configuration's own list.
    private let allowed: [CIDR]
    private let store: FeedStore?
    /// Whom no feed cuts off.
    private var needed: Set<IPAddress> = []
    /// Why a feed would not survive a restart.
    private(set) var storeProblem: String?

    static let allowListNumber = UInt8(FEED_ALLOW_FIRST)

    /// `store`: where feeds are kept over restarts; nil: nowhere.
    init(_ configuration: ShieldConfiguration, store: FeedStore? = nil) {
        allowed = configuration.allowed
        self.store = store
        var deny = UInt8(FEED_DENY_FIRST), allow = ShieldFeeds.allowListNumber + 1
        for feed in configuration.feeds {
            if feed.action == .deny {
                entries.append(Entry(feed: feed, number: deny))
                deny += 1
            } else {
                entries.append(Entry(feed: feed, number: allow))
                allow += 1
            }
        }
        remember()
    }

    /// What was in force before the start, until the files say something else.
    private mutating func remember() {
        guard let store else { return }
        store.keepOnly(entries.map(\.feed.name))
        for index in entries.indices {
            do throws(AgentError) {
                guard let prefixes = try store.read(entries[index].feed.name) else { continue }
                entries[index].prefixes = prefixes
                entries[index].isRemembered = true
                storeProblem = nil
            } catch {
                storeProblem = "\(error)"
            }
        }
    }

    /// Says whom the host needs; true if that changes what is in force.
    mutating func spare(_ addresses: Set<IPAddress>) -> Bool {
        guard addresses != needed else { return false }
        needed = addresses
        let before = entries.map(\.spared)
        for index in entries.indices { noteSpared(index) }
        return entries.map(\.spared) != before
    }

    private mutating func noteSpared(_ index: Int) {
        entries[index].spared = entries[index].feed.action == .deny ? entries[index].prefixes.names(of: needed) : []
    }

    /// Takes the present text of a feed in spite of the shrink limit, at the next refresh; false if there is no such feed.
    mutating func accept(_ name: String) -> Bool {
        guard let index = entries.firstIndex(where: { $0.feed.name == name }) else { return false }
        entries[index].acceptsShrinking = true
        entries[index].stamp = nil
        return true
    }

    /// True if some prefix of an allow feed, or of the own list, is at or around this one, or in it.
    func allowsSome(of prefix: CIDR) -> Bool {
        allowed.contains { $0.overlaps(prefix) }
            || entries.contains { entry in
                entry.feed.action == .allow && entry.prefixes.contains { $0.overlaps(prefix) }
            }
    }

    /// Reads the feeds whose files are other ones now; true if what is in force changed.
    mutating func refresh(now: String) -> Bool {
        var hasChanged = false
        for index in entries.indices {
            let files = FeedFiles(feed: entries[index].feed)
            let stamp = files.stamp()
            guard stamp != entries[index].stamp else { continue }
            entries[index].stamp = stamp
            do {
                let content = try files.read()
                hasChanged = take(content, at: index, now: now) || hasChanged
            } catch {
                entries[index].problem = "\(error); \(kept(index))"
            }
            entries[index].acceptsShrinking = false
        }
        return hasChanged
    }

    private func kept(_ index: Int) -> String {
        let entry = entries[index]
        guard entry.loadedAt != nil || entry.isRemembered else { return "nothing is in force of it" }
        return "the \(entry.prefixes.count) prefixes read before stay in force"
    }

    private mutating func take(_ content: FeedContent, at index: Int, now: String) -> Bool {
        let feed = entries[index].feed, before = entries[index].prefixes.count
        entries[index].faultCount = content.faultCount
        entries[index].firstFaults = content.faults.prefix(10).map(\.description)
        if content.faultCount > 0, feed.onFault == .keep, entries[index].loadedAt != nil || entries[index].isRemembered
        {
            entries[index].problem = "\(content.faultCount) lines cannot be read; \(kept(index))"
            return false
        }
        let prefixes = ShieldFeeds.normalized(content.prefixes)
        // One that was small may become nothing: no list of a publisher has ten lines.
        if before >= 10, prefixes.count * 100 < before * (100 - feed.shrinkLimit), !entries[index].acceptsShrinking {
            entries[index].problem =
                "shrank from \(before) to \(prefixes.count) prefixes, which looks like a mistake; the old ones stay "
                + "in force; take the new ones with `bulkhead shield accept \(feed.name)`, or raise `shrinkLimit`"
            return false
        }
        entries[index].problem = nil
        entries[index].loadedAt = now
        entries[index].isRemembered = false
        guard prefixes != entries[index].prefixes else { return false }
        entries[index].prefixes = prefixes
        noteSpared(index)
        do throws(AgentError) {
            try store?.write(prefixes, of: feed.name)
            storeProblem = nil
        } catch {
            storeProblem = "feed \(feed.name): \(error)"
        }
        return true
    }

    /// Sorted, without repetitions: so that what is the same is not taken for a change.
    private static func normalized(_ prefixes: [CIDR]) -> [CIDR] {
        var prefixes = prefixes
        let isSorted = zip(prefixes, prefixes.dropFirst()).allSatisfy { $0 < $1 }
        guard !isSorted else { return prefixes }
        prefixes.sort()
        var count = 0
        for prefix in prefixes where count == 0 || prefixes[count - 1] != prefix {
            prefixes[count] = prefix
            count += 1
        }
        prefixes.removeLast(prefixes.count - count)
        return prefixes
    }

    /// What the tries are loaded with.
    var table: FeedTable {
        FeedTable(
            [.init(number: ShieldFeeds.allowListNumber, prefixes: allowed)]
                + entries.map { .init(number: $0.number, prefixes: $0.prefixes.sparing($0.spared)) },
            firstAllowing: UInt8(FEED_ALLOW_FIRST))
    }
}
