// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import NetworkModel
import Testing

@testable import Detectors

@Suite struct NameTests {
    /// What a client asked below a zone in one minute.
    private func minute(
        _ index: Int, _ zone: String, queries: UInt32, distinct: UInt32, length: UInt64, entropy: UInt16,
        longest: UInt8 = 20, notFound: UInt32 = 0
    ) -> Activity {
        let since = UInt64(index) * 60 * Stage.second
        var activity = ZoneActivity(
            client: Stage.workload, isClientInside: true, zone: zone, since: since, time: since + 60 * Stage.second)
        (activity.queries, activity.distinctNames, activity.notFound) = (queries, distinct, notFound)
        (activity.nameBytes, activity.longestLabel, activity.entropy) = (length * UInt64(queries), longest, entropy)
        return .zone(activity)
    }

    private func names(_ activities: [Activity]) -> Set<String> { Set(findings(activities).map(\.detector)) }

    @Test func `a tunnel in full use is found in its first minute`() throws {
        let found = findings([
            minute(0, "t.example", queries: 3000, distinct: 2990, length: 180, entropy: 480, longest: 63)
        ])
        let tunnel = try #require(found.first)
        #expect(tunnel.detector == "dns-tunnel")
        #expect(tunnel.technique == "T1071.004")
        #expect(tunnel.source == Stage.workload)
        #expect(
            names([minute(0, "t.example", queries: 3000, distinct: 2990, length: 180, entropy: 480)]).contains(
                "dns-exfiltration"))
    }

    @Test func `an implant that asks every few seconds is found within the hour`() {
        let calls = (0..<60).map {
            minute($0, "c2.example", queries: 8, distinct: 8, length: 44, entropy: 390, longest: 44)
        }
        let found = findings(calls)
        #expect(found.first?.detector == "dns-tunnel")
    }

    @Test func `data that leaves in plain encoding is found by its amount`() {
        let theft = (0..<30).map { minute($0, "x.example", queries: 200, distinct: 200, length: 22, entropy: 290) }
        #expect(names(theft).contains("dns-exfiltration"))
    }

    @Test func `block lists, reverse lookups, content networks and resolvers are quiet`() {
        let ordinary = (0..<600).flatMap { index in
            [
                minute(index, "spamhaus.org", queries: 300, distinct: 290, length: 14, entropy: 280, notFound: 250),
                minute(index, "ip6.arpa", queries: 300, distinct: 300, length: 63, entropy: 320, notFound: 200),
                minute(index, "akamai.net", queries: 200, distinct: 12, length: 28, entropy: 350),
                minute(index, "example.com", queries: 2000, distinct: 40, length: 8, entropy: 270),
                minute(index, "cdn\(index).example", queries: 2, distinct: 2, length: 32, entropy: 360),
            ]
        }
        #expect(names(ordinary).isEmpty)
    }

    @Test func `generated domains are found, search lists and some dead links are not`() {
        let search = (0..<100).map { index in
            minute(0, "zq\(index * 7919)vkpw.example", queries: 1, distinct: 1, length: 0, entropy: 0, notFound: 1)
        }
        let found = findings(search)
        #expect(found.first?.detector == "generated-domains")
        #expect(found.first?.technique == "T1568.002")
        let ordinary = (0..<200).map { index in
            minute(
                index / 20, "site\(index)name.example", queries: 4, distinct: 2, length: 3, entropy: 150,
                notFound: index % 5 == 0 ? 4 : 0)
        }
        #expect(names(ordinary).isEmpty)
        #expect(
            names(
                (0..<600).map {
                    minute($0, "corp.internal", queries: 90, distinct: 50, length: 9, entropy: 250, notFound: 90)
                }
            ).isEmpty)
    }
}
