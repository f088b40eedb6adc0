// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import NetworkModel
import Testing

@testable import Console

/// Names in a capture: tunnels and generated domains are found, ordinary questions are not.
@Suite struct NameReplayTests {
    private static let begin: UInt64 = 1_790_000_000_000_000_000

    private func evidence(_ finding: Finding, _ name: String) -> Evidence.Value? {
        finding.evidence.first { $0.name == name }?.value
    }

    @Test(arguments: [false, true])
    func `a tunnel like iodine's is found within five seconds`(isIPv6: Bool) throws {
        var capture = NameCapture()
        let client = isIPv6 ? NameCapture.client6 : NameCapture.client
        for _ in 0..<200 {
            capture.time += 0.05
            // Base32 in labels as long as they may be, and large answers of type NULL.
            capture.ask(
                [capture.random(63), capture.random(63), capture.random(50)] + NameCapture.labels("t.evil.example"),
                type: 10, from: client, isIPv6 ? NameCapture.resolver6 : NameCapture.resolver, answerBytes: 700)
        }
        let found = try capture.findings()
        let tunnel = try #require(found.first { $0.detector == "dns-tunnel" }, "\(found)")
        #expect(tunnel.source == client)
        #expect(tunnel.time < NameReplayTests.begin + 5_000_000_000)
        #expect(evidence(tunnel, "zone") == .text("evil.example"))
        guard case .number(let bits)? = evidence(tunnel, "entropy_bits") else { throw MissingEvidence() }
        #expect((4.2...5.0).contains(bits), "\(bits)")
        #expect(evidence(tunnel, "longest_label") == .number(63))
    }

    private struct MissingEvidence: Error {}

    @Test func `a tunnel like dnscat's of a question a second is found in its first minute`() throws {
        var capture = NameCapture()
        for number in 0..<60 {
            capture.time += 1
            capture.ask(
                NameCapture.labels("dnscat") + [capture.random(60, of: "0123456789abcdef")]
                    + NameCapture.labels("cat.co.uk"), type: [16, 5, 15][number % 3], answerBytes: 120)
        }
        let found = try capture.findings()
        let tunnel = try #require(found.first { $0.detector == "dns-tunnel" }, "\(found)")
        #expect(tunnel.time < NameReplayTests.begin + 60_000_000_000)
        #expect(evidence(tunnel, "zone") == .text("cat.co.uk"), "co.uk is nobody's zone")
    }

    @Test func `a tunnel is found while another workload asks for very many zones`() throws {
        var capture = NameCapture()
        let noisy = try #require(IPAddress("10.0.0.66"))
        for _ in 0..<300 {
            capture.ask([capture.random(63), capture.random(63)] + NameCapture.labels("t.evil.example"), type: 16)
            for _ in 0..<60 {
                capture.ask([capture.random(4), capture.random(12)] + NameCapture.labels("net"), from: noisy)
            }
        }
        let found = try capture.findings()
        #expect(
            found.contains { $0.detector == "dns-tunnel" && $0.source == NameCapture.client }, "\(found.map(\.summary))"
        )
    }

    @Test func `data that leaves in names nobody answers is found`() throws {
        var capture = NameCapture()
        for _ in 0..<200 {
            capture.time += 0.5
            capture.ask([capture.random(56)] + NameCapture.labels("x.example"), answerBytes: nil)
        }
        #expect(try capture.findings().contains { $0.detector == "dns-tunnel" })
    }

    @Test func `generated domains of which none exists are found`() throws {
        var capture = NameCapture()
        for _ in 0..<60 {
            capture.time += 2
            let name = [capture.random(14, of: "abcdefghijklmnopqrstuvwxyz")] + NameCapture.labels("com")
            capture.ask(name, code: NameCapture.notFound, answerBytes: 70)
            capture.ask(name, type: 28, code: NameCapture.notFound, answerBytes: 70)
        }
        let found = try capture.findings()
        let domains = try #require(found.first { $0.detector == "generated-domains" }, "\(found)")
        #expect(domains.source == NameCapture.client)
        #expect(!found.contains { $0.detector == "dns-tunnel" })
    }

    @Test func `ordinary names of twenty minutes make no finding`() throws {
        var capture = NameCapture()
        let words = ["www", "api", "static", "img", "login", "cdn", "mail", "shop", "news", "media"]
        let edges = (0..<30).map { _ in capture.random(14) }
        while capture.time < 1200 {
            capture.time += 0.05
            let word = NameCapture.labels(words[capture.number(below: words.count)])
            switch capture.number(below: 10) {
            case 0, 1:  // Content networks: random labels, asked for again and again, of both types.
                let edge = [edges[capture.number(below: edges.count)]] + NameCapture.labels("cloudfront.net")
                capture.ask(edge)
                capture.ask(edge, type: 28, answerBytes: 28)
            case 2:  // Reverse lookups, many of which nobody has named.
                let octets = (0..<4).map { _ in Array("\(capture.number(below: 256))".utf8) }
                let code = capture.number(below: 2) == 0 ? NameCapture.notFound : 0
                capture.ask(octets + NameCapture.labels("in-addr.arpa"), type: 12, code: code)
            case 3:  // A mail server asks block lists about who connects.
                let octets = (0..<4).map { _ in Array("\(capture.number(below: 256))".utf8) }
                let lists = ["zen.spamhaus.org", "bl.spamcop.net", "b.barracudacentral.org"]
                capture.ask(
                    octets + NameCapture.labels(lists[capture.number(below: 3)]),
                    code: capture.number(below: 8) == 0 ? 0 : NameCapture.notFound)
            case 4:  // Typing errors, and search lists.
                let typo = capture.random(6, of: "etaoinshr")
                capture.ask(
                    word + [typo] + NameCapture.labels("com"),
                    code: capture.number(below: 4) == 0 ? NameCapture.notFound : 0)
                capture.ask(word + NameCapture.labels("svc.cluster.local"), code: NameCapture.notFound)
            default:  // What a resolver for many people asks.
                let shop = Array("site\(capture.number(below: 3000))".utf8)
                capture.ask(word + [shop] + NameCapture.labels(["com", "de", "co.uk"][capture.number(below: 3)]))
            }
        }
        let found = try capture.findings()
        #expect(found.isEmpty, "\(found.map(\.summary))")
    }
}
