// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import FeedReading
import Glibc
import KernelDatapath
import LinuxHost
import NetworkModel
import Testing

@testable import AgentCore

@Suite struct ShieldConfigurationTests {
    private func read(_ text: String) throws -> ShieldConfiguration {
        var configuration = AgentConfiguration()
        try configuration.read(Array(text.utf8), file: "agent.yaml")
        return configuration.shield
    }

    @Test func `the shield is off unless somebody switches it on`() throws {
        #expect(try read("audit: false\n").settings.mode == .off)
        #expect(try read("shield: {mode: off}\n").settings.mode == .off)
        #expect(try read("shield: {}\n").settings == ShieldSettings())
    }

    @Test func `every key is read`() throws {
        let shield = try read(
            """
            shield:
              mode: enforce
              devices: [eth0]
              feeds:
                - {path: /f/drop.netset}
                - {path: /f/good, name: friends, action: allow, onFault: keep, allowWide: true, shrinkLimit: 100}
              allow: [192.0.2.1, "2001:db8::/48"]
              failsafePorts: [22, 2222]
              servedPorts: [123]
              reflectorPorts: [53]
              answerTime: 5s
              malformed: false
              martians: false
              limits:
                source: {packets: 1000, connections: {rate: 10, burst: 50}}
                destination: {icmp: 7}
              events: 5
              limitEntries: 1024
              blocks: 100
            """)
        #expect(shield.devices == ["eth0"])
        #expect(shield.feeds.map(\.name) == ["drop.netset", "friends"])
        #expect(shield.feeds.map(\.action) == [.deny, .allow])
        #expect(
            shield.feeds[1].onFault == .keep && shield.feeds[1].allowsWidePrefixes && shield.feeds[1].shrinkLimit == 100
        )
        #expect(shield.allowed.map(\.description) == ["192.0.2.1/32", "2001:db8::/48"])
        var settings = ShieldSettings()
        settings.mode = .enforce
        settings.failsafePorts = [22, 2222]
        settings.servedPorts = [123]
        settings.reflectorPorts = [53]
        settings.answerTime = .seconds(5)
        settings.checksHeaders = false
        settings.checksSources = false
        settings.limits = [
            .init(.source, .packets): ShieldLimit(rate: 1000),
            .init(.source, .connections): ShieldLimit(rate: 10, burst: 50),
            .init(.destination, .icmp): ShieldLimit(rate: 7),
        ]
        settings.limitEntries = 1024
        settings.blockCapacity = 100
        #expect(shield.settings == settings)
        #expect(shield.eventsPerSecond == 5)
    }

    @Test(arguments: [
        "shield: {mode: on}", "shield: {feeds: [{path: relative}]}", "shield: {feeds: [{name: x}]}",
        "shield: {feeds: [{path: /a/x}, {path: /b/x}]}", "shield: {feeds: [{path: /a/allow}]}", "shield: {allow: [x]}",
        "shield: {allow: [0.0.0.0/0]}", "shield: {allow: ['::/0']}",
        "shield: {limits: {sources: {packets: 1}}}", "shield: {limits: {source: {frames: 1}}}",
        "shield: {limits: {source: {packets: 0}}}",
        "shield: {limits: {source: {packets: 99999999999999999999}}}",
        "shield: {limits: {source: {packets: {burst: 1}}}}",
        "shield: {limitEntries: 1000}", "shield: {events: -1}", "shield: {failsafePorts: [70000]}",
        "shield: {answerTime: 0s}",
    ]) func `what makes no sense is an error with its place`(text: String) {
        #expect { try read(text + "\n") } throws: { "\($0)".hasPrefix("agent.yaml:1:") }
    }
}

@Suite struct ShieldFeedsTests {
    private let scratch: Scratch
    private var directory: String { scratch.path }

    init() throws { scratch = try Scratch() }

    /// What changes by being asked.
    private final class Box {
        private var feeds: ShieldFeeds

        init(_ feeds: ShieldFeeds) { self.feeds = feeds }

        func refresh(now: String) -> Bool { feeds.refresh(now: now) }
        func accept(_ name: String) -> Bool { feeds.accept(name) }
        var storeProblem: String? { feeds.storeProblem }
        var entries: [ShieldFeeds.Entry] { feeds.entries }
        func spare(_ addresses: Set<IPAddress>) -> Bool { feeds.spare(addresses) }
        var table: FeedTable { feeds.table }
    }

    private func write(_ name: String, _ lines: [String]) throws {
        try AtomicFile.write(Array(lines.map { $0 + "\n" }.joined().utf8), to: "\(directory)/\(name)")
    }

    /// `isKept`: with a store, as a start of the agent has it.
    private func feeds(isKept: Bool = false, _ change: (inout ShieldConfiguration.Feed) -> Void = { _ in }) -> Box {
        var configuration = ShieldConfiguration()
        var feed = ShieldConfiguration.Feed(name: "f", path: "\(directory)/list")
        change(&feed)
        configuration.feeds = [feed]
        return Box(ShieldFeeds(configuration, store: isKept ? FeedStore(directory: "\(directory)/.store") : nil))
    }

    @Test func `a feed is read when its file is another one, and only then`() throws {
        let feeds = feeds()
        #expect(!feeds.refresh(now: "t0"))
        #expect(feeds.entries[0].problem?.contains("no such file") == true)
        try write("list", ["192.0.2.1"])
        #expect(feeds.refresh(now: "t1"))
        #expect(feeds.entries[0].problem == nil && feeds.entries[0].loadedAt == "t1")
        #expect(!feeds.refresh(now: "t2"))
        try write("list", ["192.0.2.1", "192.0.2.2"])
        #expect(feeds.refresh(now: "t3"))
        #expect(feeds.table.ipv4.count == 2)
    }

    @Test func `whom the host needs is not cut off by a list that names him, whichever came first`() throws {
        let feeds = feeds()
        try write("list", ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"])
        #expect(feeds.refresh(now: ""))
        let needed = try ["10.0.0.1", "2001:db8::53", "203.0.113.1"].map { try #require(IPAddress($0)) }
        #expect(feeds.spare(Set(needed)) && !feeds.spare(Set(needed)))
        #expect(feeds.entries[0].spared == [needed[0], needed[1]])
        #expect(feeds.table.ipv4.count == 1 + 24 && feeds.table.ipv6.count == 96)
        try write("list", ["10.0.0.0/8", "203.0.113.0/24", "192.0.2.1"])
        #expect(feeds.refresh(now: ""))
        #expect(feeds.entries[0].spared == [needed[0], needed[2]])
        #expect(feeds.entries[0].prefixes.count == 3, "the feed itself is what its file says")
        #expect(feeds.spare([]) && feeds.table.ipv4.count == 3)
        // An allow feed cuts nobody off.
        let allowing = self.feeds { $0.action = .allow }
        #expect(allowing.refresh(now: "") && !allowing.spare(Set(needed)))
    }

    @Test func `all files of a directory are one feed`() throws {
        let feeds = feeds { $0.path = directory }
        try write("a", ["192.0.2.1"])
        try write("b.json", ["[\"2001:db8::/32\"]"])
        try write(".hidden", ["192.0.2.9"])
        #expect(feeds.refresh(now: ""))
        #expect(feeds.table.ipv4.count == 1 && feeds.table.ipv6.count == 1)
    }

    @Test func `a feed emptied by mistake stays in force`() throws {
        let lines = (0..<100).map { "192.0.2.\($0)" }
        let feeds = feeds()
        try write("list", lines)
        #expect(feeds.refresh(now: ""))
        try write("list", [])
        #expect(!feeds.refresh(now: ""))
        #expect(feeds.entries[0].prefixes.count == 100)
        #expect(feeds.entries[0].problem?.contains("shrank from 100 to 0") == true)
        try write("list", Array(lines.prefix(50)))
        #expect(feeds.refresh(now: ""), "half is the limit")
        #expect(feeds.entries[0].problem == nil)
    }

    @Test func `with a bad line the rest is in force, or the old feed, as the user likes`() throws {
        let skipping = feeds(), keeping = feeds { $0.onFault = .keep }
        try write("list", ["192.0.2.1"])
        #expect(skipping.refresh(now: "") && keeping.refresh(now: ""))
        try write("list", ["192.0.2.1", "nonsense", "192.0.2.3"])
        #expect(skipping.refresh(now: ""))
        #expect(!keeping.refresh(now: ""))
        #expect(skipping.entries[0].prefixes.count == 2 && keeping.entries[0].prefixes.count == 1)
        #expect(skipping.entries[0].firstFaults.first?.hasPrefix("\(directory)/list:2:1: ") == true)
        #expect(keeping.entries[0].problem?.contains("stay in force") == true)
    }

    @Test func `all of the Internet in a deny feed is refused without force`() throws {
        try write("list", ["0.0.0.0/0", "::/0", "192.0.2.1"])
        let careful = feeds(), forced = feeds { $0.allowsWidePrefixes = true }
        #expect(careful.refresh(now: "") && forced.refresh(now: ""))
        #expect(careful.entries[0].prefixes.count == 1 && careful.entries[0].faultCount == 2)
        #expect(forced.entries[0].prefixes.count == 3)
    }

    @Test func `a feed whose file is missing at a start is what it was before`() throws {
        try write("list", ["192.0.2.0/24", "2001:db8::/32"])
        #expect(feeds(isKept: true).refresh(now: "t0"))
        #expect(unsafe unlink("\(directory)/list") == 0)
        let later = feeds(isKept: true)
        #expect(later.entries[0].prefixes.map(\.description) == ["192.0.2.0/24", "2001:db8::/32"])
        #expect(!later.refresh(now: "t1"))
        #expect(later.entries[0].isRemembered && later.entries[0].loadedAt == nil)
        #expect(later.entries[0].problem?.hasSuffix("the 2 prefixes read before stay in force") == true)
        #expect(later.table.ipv4.count == 1 && later.table.ipv6.count == 1)
        try write("list", ["192.0.2.0/24"])
        #expect(later.refresh(now: "t2"))
        #expect(!later.entries[0].isRemembered && later.entries[0].problem == nil)
        #expect(feeds(isKept: true).entries[0].prefixes.count == 1)
    }

    @Test func `the shrink limit holds over a restart, and is lifted for once by asking`() throws {
        try write("list", (0..<100).map { "192.0.2.\($0)" })
        #expect(feeds(isKept: true).refresh(now: ""))
        try write("list", ["192.0.2.1"])
        let later = feeds(isKept: true)
        #expect(!later.refresh(now: ""))
        #expect(later.entries[0].problem?.contains("bulkhead shield accept f") == true)
        #expect(later.table.ipv4.count == 100)
        #expect(!later.accept("g") && later.accept("f"))
        #expect(later.refresh(now: ""))
        #expect(later.table.ipv4.count == 1 && later.entries[0].problem == nil)
        // For once only.
        try write("list", (0..<100).map { "192.0.2.\($0)" })
        #expect(later.refresh(now: ""))
        try write("list", [])
        #expect(!later.refresh(now: ""))
    }

    @Test func `a text that says the same in another order is no change`() throws {
        try write("list", ["192.0.2.1", "192.0.2.9", "192.0.2.5"])
        let feeds = feeds()
        #expect(feeds.refresh(now: "t0"))
        try write("list", ["# sorted", "192.0.2.9", "192.0.2.5", "192.0.2.1", "192.0.2.1"])
        #expect(!feeds.refresh(now: "t1"))
        #expect(feeds.entries[0].loadedAt == "t1" && feeds.entries[0].prefixes.count == 3)
    }

    @Test func `what is kept of a feed is read back as it was, and damage is told`() throws {
        let store = FeedStore(directory: "\(directory)/kept")
        let prefixes = try ["0.0.0.0/0", "192.0.2.7/32", "198.51.100.0/25", "::/0", "2001:db8::/48", "2001:db8::7/128"]
            .map { try #require(CIDR($0)) }
        #expect(try store.read("a/b") == nil)
        try store.write(prefixes, of: "a/b")
        #expect(try store.read("a/b") == prefixes)
        let bytes = FeedStore.encode(prefixes)
        for length in 0..<bytes.count {
            let part = FeedStore.decode(Array(bytes.prefix(length)).span)
            #expect(part == nil || part == Array(prefixes.prefix(part?.count ?? 0)), "\(length)")
        }
        for damage in [[33], [63], [193], [96, 0]] as [[UInt8]] {
            #expect(FeedStore.decode((bytes + damage).span) == nil)
        }
        store.keepOnly(["c"])
        #expect(try store.read("a/b") == nil)
    }

    @Test func `a feed that cannot be kept is in force, and that is told`() throws {
        try write("list", ["192.0.2.1"])
        try write(".store", ["a file where the directory would be"])
        let feeds = feeds(isKept: true)
        #expect(feeds.refresh(now: ""))
        #expect(feeds.table.ipv4.count == 1)
        #expect(feeds.storeProblem?.contains("after a restart the feed is what its file says") == true)
    }
}
