// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

/// Feeds that somebody got wrong while the agent looks on: what is in force, seen by who gets through.
@Suite(.serialized) struct ShieldFeedTests {
    private struct Field {
        let host: HostBed
        let feed: String
        let friends: String

        init(_ bed: TestBed, options: String = "") async throws {
            feed = bed.path("drop.netset")
            friends = bed.path("friends")
            try writeFile(feed, "203.0.113.1\n")
            try writeFile(friends, "203.0.113.200\n")
            let feeds =
                "{name: drop, path: \(feed)\(options)}, {name: friends, path: \(friends), action: allow, shrinkLimit: 100}"
            host = try await HostBed(bed, more: "shield: {mode: enforce, devices: [up0], feeds: [\(feeds)]}")
            _ = try await host.startAgent()
        }

        /// Which of the two clients' families get through.
        func reached() async throws -> Set<Probe> {
            let probes = Probe.all([.tcp(80)], host.hostAddresses)
            return try await host.client.reach(probes, expecting: probes)
        }

        func report() async throws -> ShieldFeedReport {
            try #require(try await host.control.shieldReport().feeds.first { $0.name == "drop" })
        }

        /// Writes the feed and waits until the agent has an opinion of it.
        func write(_ text: String, until isJudged: @escaping @Sendable (ShieldFeedReport) -> Bool) async throws {
            try writeFile(feed, text)
            try await eventually("the feed is read") { isJudged(try await report()) }
        }
    }

    private static let others = (1...20).map { "203.0.113.\($0)\n" }

    @Test func `a bad line leaves all that was where the user wants that, and is named with its place`() async throws {
        try await withTestBed(subnet: 58) { bed in
            let field = try await Field(bed, options: ", onFault: keep")
            try await field.write("203.0.113.1\n\(field.host.clientAddresses[0])\n  198.51.100.7/33\n") {
                $0.problem != nil
            }
            let broken = try await field.report()
            #expect(broken.prefixes == 1 && broken.problem?.contains("stay in force") == true, "\(broken)")
            let problems = try await field.host.control.status().problems
            #expect(problems.contains { $0.subject == "shield" }, "\(problems)")
            #expect(broken.firstFaults.first?.hasPrefix("\(field.feed):3:3: ") == true, "\(broken)")
            #expect(try await field.reached().count == 2)
            let status = try await field.host.agent.tool("shield", "feeds").checked().output
            #expect(status.contains("\(field.feed):3:3: "), "\(status)")
            try await field.write("203.0.113.1\n\(field.host.clientAddresses[0])\n") { $0.prefixes == 2 }
            #expect(try await field.report().problem == nil)
            #expect(try await field.reached() == Probe.all([.tcp(80)], [field.host.hostAddresses[1]]))
        }
    }

    @Test func `a feed that is emptied, or loses more than its limit, while the agent runs stays in force`()
        async throws
    {
        try await withTestBed(subnet: 58) { bed in
            let field = try await Field(bed, options: ", shrinkLimit: 30")
            let clients = field.host.clientAddresses.map { "\($0)\n" }.joined()
            try await field.write(clients + Self.others.joined()) { $0.prefixes == 22 }
            #expect(try await field.reached().isEmpty)
            for left in [0, 15] {
                try await field.write(Self.others.prefix(left).joined()) {
                    $0.problem?.contains("shrank from 22 to \(left)") == true
                }
                #expect(try await field.report().prefixes == 22)
                #expect(try await field.reached().isEmpty, "\(left) are left")
            }
            // A loss within the limit is a change like any other.
            try await field.write(Self.others.joined()) { $0.prefixes == 20 }
            #expect(try await field.report().problem == nil)
            #expect(try await field.reached().count == 2)
        }
    }

    @Test func `all of the Internet is refused, and in force where the user says so; an allow feed goes first`()
        async throws
    {
        try await withTestBed(subnet: 58) { bed in
            let field = try await Field(bed)
            try await field.write("0.0.0.0/0\n::/0\n203.0.113.1\n") { $0.faults == 2 }
            #expect(try await field.report().firstFaults.first?.hasPrefix("\(field.feed):1:1: ") == true)
            #expect(try await field.reached().count == 2)
        }
        try await withTestBed(subnet: 58) { bed in
            let field = try await Field(bed, options: ", allowWide: true")
            try await field.write("0.0.0.0/0\n::/0\n") { $0.prefixes == 2 }
            #expect(try await field.reached().isEmpty)
            let hits = try await field.report()
            #expect(hits.packets > 0)
            try writeFile(field.friends, "\(field.host.clientAddresses[1])\n")
            try await eventually("a friend gets through") {
                try await field.reached() == Probe.all([.tcp(80)], [field.host.hostAddresses[1]])
            }
        }
    }
}
