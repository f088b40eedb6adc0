// SPDX-License-Identifier: Apache-2.0

import AlertPipeline
import ControlAPI
import LinuxHost
import TestBed
import Testing

/// Real questions to a real resolver (unbound), and what the agent says of who asks them.
@Suite(.serialized) struct NameDetectionTests {
    @Test func `a tunnel, exfiltration and generated names are named, and a busy client with typos is not`()
        async throws
    {
        try await withTestBed(subnet: 72) { bed in
            let field = try await DetectionField(bed)
            let resolver = try await field.attacker(53)
            try await startResolver(bed, in: resolver)
            let workload = field.workload
            try await eventually("the resolver answers both families") {
                for address in [resolver.address4, resolver.address6] {
                    let answer = try await workload.namespace.run(["dig", "+short", "@\(address)", "www.site.test"])
                    guard answer.text == "198.51.100.80" else { return false }
                }
                return true
            }
            // The host asks all the time, as mail servers, browsers and people do.
            let ordinary = try startOrdinary(bed, field, resolver)
            var repeats = 0
            for attack in attacks(resolver) {
                var delays = [try await delay(of: attack, bed, field)]
                // A busy machine names one late now and then; by the other family it is another source.
                if delays[0] > attack.within {
                    repeats += 1
                    delays.append(try await delay(of: attack.again(resolver), bed, field))
                }
                #expect((delays.min() ?? .infinity) <= attack.within, "\(attack.detector): \(delays) s")
            }
            #expect(try await ordinary.waitForExit(within: .seconds(60)) == 0, "\(ordinary.errors)")
            let answers = ordinary.output.split(separator: "\n").filter { $0.hasPrefix("198.51.100.") }.count
            #expect(answers >= 400, "\(answers) answers")
            try await Task.sleep(for: .seconds(2))
            // Each has one name, and nothing else is said.
            #expect(field.told.count == 3 + repeats, "\(field.summaries)")
            let listed = try await field.listed()
            #expect(Set(listed.map(\.detector)) == Set(attacks(resolver).map(\.detector)), "\(listed)")
        }
    }

    /// Seconds from its first question until it is named, rightly.
    private func delay(of attack: Attack, _ bed: TestBed, _ field: DetectionField) async throws -> Double {
        let workload = field.workload
        let begin = secondsOfDay(Timestamp.now())
        let run = try workload.namespace.start(["python3", bed.path("names.py")] + attack.arguments)
        let source = attack.isIPv6 ? workload.address6 : workload.address4
        let notice = try await field.wait(for: attack.detector, source: source, within: .seconds(30))
        #expect(notice.alert.technique == attack.technique, "\(notice.alert)")
        #expect(notice.alert.sourceName == "web" && notice.alert.port == 53, "\(notice.alert)")
        #expect("\(notice.alert.evidence)".contains(attack.evidence), "\(notice.alert.evidence)")
        #expect(try await run.waitForExit(within: .seconds(30)) == 0, "\(run.errors)")
        return secondsSince(begin, notice.time)
    }

    private struct Attack {
        var detector: String
        var technique: String
        /// Of `names.py`.
        var arguments: [String]
        var isIPv6 = false
        /// Seconds from its first question.
        var within: Double
        /// What the evidence names.
        var evidence: String

        func again(_ resolver: DetectionField.Attacker) -> Attack {
            var other = self
            other.isIPv6 = !isIPv6
            other.arguments[0] = other.isIPv6 ? resolver.address6 : resolver.address4
            return other
        }
    }

    private func attacks(_ resolver: DetectionField.Attacker) -> [Attack] {
        [
            // As iodine and dnscat2: long random names, one after the other, for answers that carry data.
            Attack(
                detector: "dns-tunnel", technique: "T1071.004",
                arguments: [resolver.address4, "tunnel", "150", "0.02"], within: 3, evidence: "tunnel.test"),
            // Short pieces, so that it is no tunnel: 32 000 bytes of them.
            Attack(
                detector: "dns-exfiltration", technique: "T1048.003",
                arguments: [resolver.address6, "pieces", "5000", "0.001"], isIPv6: true, within: 25,
                evidence: "leak.test"),
            Attack(
                detector: "generated-domains", technique: "T1568.002",
                arguments: [resolver.address4, "domains", "80", "0.02"], within: 5, evidence: ".test"),
        ]
    }

    /// One label of each kind of name is random; what is not in a zone does not exist.
    private func startResolver(_ bed: TestBed, in place: DetectionField.Attacker) async throws {
        try place.namespace.startUnbound(
            server: """
                local-zone: "." static
                local-zone: "tunnel.test." redirect
                local-data: "tunnel.test. TXT \\"MZXW6YTBOJRGC6TZ\\""
                local-zone: "leak.test." redirect
                local-data: "leak.test. A 198.51.100.1"
                local-zone: "site.test." redirect
                local-data: "site.test. A 198.51.100.80"
                local-zone: "blocklist.test." redirect
                local-data: "blocklist.test. A 198.51.100.2"
                """)
        try writeFile(bed.path("names.py"), NameDetectionTests.asker)
    }

    /// 500 pages of a site with few servers, 200 look-ups in a block list, reverse look-ups and a dozen typos, by dig.
    private func startOrdinary(_ bed: TestBed, _ field: DetectionField, _ resolver: DetectionField.Attacker) throws
        -> SpawnedProcess
    {
        var questions: [String] = []
        for number in 0..<500 { questions.append("cdn-\(number % 24)-edge.region-\(number % 3).site.test A") }
        for number in 0..<200 { questions.append("\(number).2.0.192.blocklist.test A") }
        for number in 0..<100 { questions.append("\(number).113.0.203.in-addr.arpa PTR") }
        for number in 0..<12 { questions.append("ww\(number).no-such-shop-\(number).test A") }
        let order = questions.indices.sorted { ($0 * 7919) % 812 < ($1 * 7919) % 812 }
        try writeFile(bed.path("questions"), order.map { questions[$0] + "\n" }.joined())
        return try field.host.host.namespace.start([
            "dig", "@\(resolver.address4)", "+short", "+tries=1", "+time=2", "-f", bed.path("questions"),
        ])
    }

    /// Arguments: resolver, kind, number of questions, pause; each question waits for its answer.
    private static let asker = """
        import base64, os, socket, struct, sys, time
        resolver, kind, count, pause = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
        def letters(n):
            return base64.b32encode(os.urandom(n)).decode().lower().rstrip("=")
        def name(i):
            if kind == "tunnel":
                return [letters(35), letters(30), "t", "tunnel", "test"]
            if kind == "pieces":
                return [letters(12)[:19], "leak", "test"]
            return [letters(10), "test"]
        s = socket.socket(socket.AF_INET6 if ":" in resolver else socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(1)
        s.connect((resolver, 53))
        answered = 0
        for i in range(count):
            labels = b"".join(bytes([len(l)]) + l.encode() for l in name(i))
            s.send(struct.pack(">HHHHHH", i & 65535, 0x100, 1, 0, 0, 0) + labels + b"\\0" + struct.pack(">HH", 16 if kind == "tunnel" else 1, 1))
            try:
                s.recv(4096)
                answered += 1
            except OSError:
                pass
            time.sleep(pause)
        sys.exit(0 if answered > count * 0.9 else f"{answered} of {count} answered")

        """
}
